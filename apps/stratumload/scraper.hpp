#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

namespace stratumload {

/// Reads the /metrics of a stratumproxyd again and again, without a pause, on a thread of its own.
class scraper {
 public:
  struct result {
    std::vector<double> milliseconds;  ///< of each whole page
    std::size_t page_bytes = 0;        ///< of the last one
    std::size_t failures = 0;
  };

  /// Begins. `web` is HOST:PORT.
  explicit scraper(const std::string& web);
  ~scraper();
  scraper(const scraper&) = delete;
  scraper& operator=(const scraper&) = delete;

  /// Ends with the page that is being read.
  [[nodiscard]] result end();

 private:
  void run(const std::string& web);

  std::atomic<bool> ending_{false};
  result found_;  // the thread's, until it is joined
  std::thread thread_;
};

}  // namespace stratumload
