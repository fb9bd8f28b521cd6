#include "process_stats.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <stratumproxy/scheduling.hpp>

namespace stratumproxyd {
namespace {

// Counting those of ten thousand miners takes milliseconds of the kernel; since Linux 6.2 it says how many there are.
std::uint64_t count_fds() {
  struct stat known{};
  if (::stat("/proc/self/fd", &known) == 0 && known.st_size > 0) return static_cast<std::uint64_t>(known.st_size);
  DIR* directory = ::opendir("/proc/self/fd");
  if (!directory) return 0;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
    stratumproxy::pace();
  }
  ::closedir(directory);
  return count > 0 ? count - 1 : 0;  // without the one that reads the directory
}

double boot_time() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

}  // namespace

process_stats read_process_stats() {
  process_stats out;
  out.open_fds = count_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) out.max_fds = limit.rlim_cur;

  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return out;
  // The second field is the program's name in parentheses and may hold anything, spaces too.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return out;
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields;  // from field 3 of proc(5) on
  for (std::string field; rest >> field;) fields.push_back(field);
  if (fields.size() < 22) return out;

  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.cpu_seconds = (std::stod(fields[11]) + std::stod(fields[12])) / ticks;
  out.threads = std::stoull(fields[17]);
  out.start_time_seconds = boot_time() + std::stod(fields[19]) / ticks;
  out.virtual_bytes = std::stoull(fields[20]);
  out.resident_bytes = std::stoull(fields[21]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return out;
}

}  // namespace stratumproxyd
