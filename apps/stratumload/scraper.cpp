#include "scraper.hpp"

#include <httplib.h>

#include <utility>

#include <stratumproxy/scheduling.hpp>

#include "clock.hpp"

namespace stratumload {

scraper::scraper(const std::string& web) : thread_([this, web] { run(web); }) {}

scraper::~scraper() {
  if (thread_.joinable()) (void)end();
}

scraper::result scraper::end() {
  ending_ = true;
  thread_.join();
  return std::move(found_);
}

void scraper::run(const std::string& web) {
  stratumproxy::stand_back();  // whoever scrapes is elsewhere; here it must not keep the core from the miners' thread, which measures
  httplib::Client client("http://" + web);
  while (!ending_) {
    std::size_t bytes = 0;
    const auto began = now();
    const auto answer = client.Get("/metrics", [&bytes](const char*, std::size_t size) {
      bytes += size;
      return true;
    });
    if (!answer || answer->status != 200) {
      ++found_.failures;
      if (!answer) break;
      continue;
    }
    found_.milliseconds.push_back(1000 * in_seconds(now() - began));
    found_.page_bytes = bytes;
  }
}

}  // namespace stratumload
