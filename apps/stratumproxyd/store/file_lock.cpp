#include "file_lock.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "store.hpp"

namespace stratumproxyd {
namespace {

// FNV-1a: the same in every build, as std::hash need not be. 62 bits, because an offset is signed.
off_t place_of(std::string_view tag) {
  std::uint64_t hash = 14'695'981'039'346'656'037u;
  for (const char c : tag) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211u;
  return static_cast<off_t>(hash >> 2);
}

}  // namespace

file_lock::file_lock(const std::filesystem::path& database, const std::string& tag) {
  // Whatever name or link leads to the database, there is one file of locks.
  std::error_code failed;
  const auto real = std::filesystem::canonical(database, failed);
  const auto path = real.string() + "-tags";
  descriptor_ = failed ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {
    const auto reason = failed ? failed.message() : std::string(std::strerror(errno));
    throw store_unavailable(fmt::format("cannot open {}: {}", failed ? database.string() : path, reason));
  }
  // Of the open file and not of the process: two stores of one process exclude each other, and closing another descriptor
  // of the file lets go of nothing.
  struct flock byte {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = place_of(tag);
  byte.l_len = 1;
  if (::fcntl(descriptor_, F_OFD_SETLK, &byte) == 0) return;
  const int reason = errno;
  ::close(descriptor_);
  if (reason == EAGAIN || reason == EACCES)
    throw tag_taken(fmt::format("another stratumproxyd of this database has the tag {}", tag));
  throw store_unavailable(fmt::format("cannot lock {}: {}", path, std::strerror(reason)));
}

file_lock::~file_lock() { ::close(descriptor_); }

}  // namespace stratumproxyd
