#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stratumproxy::net {

/// The client's side of a SOCKS5 conversation (RFC 1928, RFC 1929) that asks for a connection to a pool, as bytes in and bytes out. The
/// server resolves the pool's name.
///
///   greeting ---> [password] ---> request ---> address ---> done
///       |             |              |            |
///       +-------------+------ failed +------------+
class socks5 {
 public:
  enum class state : std::uint8_t { greeting, password, request, address, done, failed };

  /// `user` and `password` may be empty, together. Names and texts of more than 255 bytes fail.
  socks5(std::string host, std::uint16_t port, std::string user, std::string password);

  [[nodiscard]] state where() const noexcept { return state_; }
  /// What is to be sent now; it is taken.
  [[nodiscard]] std::string take_output();
  /// How many bytes it waits for: more of them would be the pool's. 0 when it is over.
  [[nodiscard]] std::size_t wanted() const noexcept { return wanted_ - input_.size(); }
  /// At most wanted() bytes.
  void receive(std::string_view bytes);
  /// Why it failed, for people.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

 private:
  void answered();
  void ask();
  void expect(state what, std::size_t bytes);
  void fail(std::string why);

  std::string host_, user_, password_;
  std::uint16_t port_;
  state state_ = state::greeting;
  std::size_t wanted_ = 0;
  std::string input_, output_, fault_;
};

}  // namespace stratumproxy::net
