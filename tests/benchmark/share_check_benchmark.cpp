// What a share check costs, for each algorithm with a hash function: microseconds of processor time with a coinbase of 250
// bytes and 12 branches, as Bitcoin pools have them, and allocations. Exits with 1 when a fast one allocates.
// Usage: share_check_benchmark [SECONDS for each algorithm, default 0.5]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <stratumproxy/algorithm/share_check.hpp>

namespace {

std::uint64_t allocations = 0;

}  // namespace

// Not operator new: OpenSSL and Crypto++ call these.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 : 0;
}
}

namespace {

using namespace stratumproxy;

double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  const std::string coinb1(120, '3');
  const std::string coinb2(360, '4');
  const std::string hash(64, '5');
  const std::vector<std::string_view> branches(12, hash);
  const auto job = algorithm::decode_work({hash, coinb1, coinb2, branches, 0x20000000, 0x1703255b});
  algorithm::share what;
  if (!job || !what.append_extranonce("a9ae9c7000000007d6010000")) return 1;
  bool good = true;
  for (const auto& how : algorithm::builtin()) {
    if (!how.hash) continue;
    auto bitcoins = how;
    bitcoins.speaks = dialect::bitcoin;  // also where the header is another's, the hash has its price
    const auto work = [&] {
      ++what.nonce;
      good = algorithm::check(bitcoins, *job, what).has_value() && good;
    };
    work();  // what a thread makes once
    const auto allocated = allocations;
    const auto started = processor_seconds();
    double used = 0;
    unsigned checks = 0;
    do {
      for (int i = 0; i < 16; ++i) work();
      checks += 16;
      used = processor_seconds() - started;
    } while (used < seconds);
    const auto taken = allocations - allocated;
    const bool fast = how.cost == algorithm::hash_cost::fast;
    std::printf("%-12s %8.2f us a check, %.0f allocations, %s\n", how.name.c_str(), used / checks * 1e6,
                static_cast<double>(taken) / checks, fast ? "fast" : "slow");
    good = good && (!fast || taken == 0);
  }
  return good ? 0 : 1;
}
