#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stratumproxy::session {

/// Names a session towards its miner: 128 random bits, but that the first byte modulo the number of shards is the shard
/// that has the session. Whoever knows it may take the session over, so logs show eight digits only.
struct session_id {
  std::array<std::uint8_t, 16> bytes{};

  friend bool operator==(const session_id&, const session_id&) = default;

  [[nodiscard]] unsigned shard(unsigned shards) const noexcept { return bytes[0] % shards; }

  [[nodiscard]] static session_id make(const std::function<void(std::span<std::uint8_t>)>& random, unsigned shard,
                                       unsigned shards) {
    session_id id;
    do {
      random(id.bytes);
    } while (id.shard(shards) != shard);
    return id;
  }

  [[nodiscard]] std::string text() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const auto byte : bytes) {
      hex += digits[byte >> 4];
      hex += digits[byte & 15];
    }
    return hex;
  }

  [[nodiscard]] static std::optional<session_id> parse(std::string_view text) noexcept {
    if (text.size() != 32) return std::nullopt;
    session_id id;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      int digit = 0;
      if (c >= '0' && c <= '9') digit = c - '0';
      else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
      else return std::nullopt;
      id.bytes[i / 2] = static_cast<std::uint8_t>((id.bytes[i / 2] << 4) | digit);
    }
    return id;
  }
};

struct session_id_hash {
  [[nodiscard]] std::size_t operator()(const session_id& id) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes.data() + 8, sizeof(hash));
    return hash;
  }
};

}  // namespace stratumproxy::session
