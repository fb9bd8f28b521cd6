// The algorithm registry alone: names, dividers, and what a difficulty stands for.
#include <cstdio>

#include <stratumproxy/algorithm.hpp>

namespace algorithm = stratumproxy::algorithm;

int main() {
  algorithm::registry known;  // with those that come with the library
  algorithm::info mine;
  mine.name = "myhash";
  mine.aliases = {"my-hash"};
  mine.divider = 256;
  mine.source = "the pool's help page";
  if (const auto error = known.add(mine)) {
    std::printf("%s\n", error.message().c_str());
    return 1;
  }
  for (const char* name : {"SHA256d", "scrypt", "My-Hash", "unheard-of"}) {
    if (const auto* found = known.find(name)) {
      std::printf("%s: a share of difficulty 8 is %g hashes\n", found->name.c_str(),
                  algorithm::expected_hashes(8, found->divider));
    } else {
      std::printf("%s: unknown\n", name);
    }
  }
  return known.find("MY-HASH") != nullptr && known.find("unheard-of") == nullptr ? 0 : 1;
}
