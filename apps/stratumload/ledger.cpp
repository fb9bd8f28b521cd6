#include "ledger.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

namespace stratumload {
namespace {

constexpr std::uint32_t spread = 2'654'435'761u;  // odd, so that multiplying by it can be undone

constexpr std::uint32_t inverse_of(std::uint32_t odd) {
  std::uint32_t inverse = odd;
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;  // Newton's step doubles the number of right bits
  return inverse;
}
static_assert(spread * inverse_of(spread) == 1);

void append_byte(std::string& out, unsigned value) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += digits[value >> 4 & 15];
  out += digits[value & 15];
}

constexpr unsigned times_mask = 63;

}  // namespace

std::uint32_t mixed(std::uint32_t value) noexcept {
  value ^= value >> 16;
  value *= 0x7feb352d;
  value ^= value >> 15;
  value *= 0x846ca68b;
  return value ^ (value >> 16);
}

std::uint32_t nonce_of(std::uint32_t serial) noexcept { return serial * spread; }
std::uint32_t serial_of(std::uint32_t nonce) noexcept { return nonce * inverse_of(spread); }

void append_extranonce2(std::string& out, unsigned bytes, std::uint32_t worker, std::uint32_t serial) {
  for (unsigned left = bytes; left > 2; --left) append_byte(out, left - 3 < 4 ? worker >> (left - 3) * 8 & 255 : 0);
  const auto check = mixed(serial);
  append_byte(out, check >> 8 & 255);
  append_byte(out, check & 255);
}

bool has_check_of(std::string_view extranonce2, std::uint32_t serial) noexcept {
  if (extranonce2.size() < 4) return false;
  std::uint32_t value = 0;
  for (const char c : extranonce2.substr(extranonce2.size() - 4)) {
    const unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                  : 16;
    if (digit > 15) return false;
    value = value << 4 | digit;
  }
  return value == (mixed(serial) & 0xffff);
}

ledger::ledger(std::uint32_t capacity)
    : capacity_(capacity),
      bytes_(sizeof(head) + 2 * std::size_t{capacity}),
      memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
  if (memory_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "no memory for the ledger");
  head_ = new (memory_) head;
  miners_ = static_cast<std::uint8_t*>(memory_) + sizeof(head);
  pool_ = miners_ + capacity_;
}

ledger::~ledger() { ::munmap(memory_, bytes_); }

void ledger::sent(std::uint32_t serial) noexcept {
  miners_[serial] = 1;
  head_->sent_end = std::max(head_->sent_end, serial + 1);
}

void ledger::told(std::uint32_t serial, verdict what) noexcept {
  miners_[serial] = static_cast<std::uint8_t>(1 | static_cast<unsigned>(what) << 1);
}

bool ledger::arrived(std::uint32_t serial, verdict answer) noexcept {
  auto& entry = pool_[serial];
  head_->arrived_end = std::max(head_->arrived_end, serial + 1);
  if (entry == 0) {
    entry = static_cast<std::uint8_t>(1 | static_cast<unsigned>(answer) << 6);
    return true;
  }
  if ((entry & times_mask) < times_mask) ++entry;
  return false;
}

audit ledger::check() const noexcept {
  audit out{.invented = head_->invented, .altered = head_->altered, .stray_verdicts = head_->stray};
  out.received = out.invented;
  const auto end = std::max(head_->sent_end, head_->arrived_end);
  for (std::uint32_t serial = 0; serial < end; ++serial) {
    const bool was_sent = (miners_[serial] & 1) != 0;
    const auto was_told = static_cast<verdict>(miners_[serial] >> 1);
    const unsigned times = pool_[serial] & times_mask;
    const auto answer = static_cast<verdict>(pool_[serial] >> 6);
    if (!was_sent) {
      out.received += times;
      out.invented += times;
      continue;
    }
    ++out.sent;
    out.received += times;
    if (times > 1) out.doubled += times - 1;
    switch (was_told) {
      case verdict::none: ++(times == 0 ? out.lost : out.unanswered); break;
      case verdict::accepted:
        ++out.accepted;
        if (times == 0)
          ++out.lost;
        else if (answer != verdict::accepted)
          ++out.wrong_verdicts;
        break;
      case verdict::rejected:
        ++out.rejected;
        if (times == 0)
          ++out.refused_on_the_way;
        else if (answer != verdict::rejected)
          ++out.wrong_verdicts;
        break;
      case verdict::unknown: ++out.unknown; break;
    }
  }
  return out;
}

}  // namespace stratumload
