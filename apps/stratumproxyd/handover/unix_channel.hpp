#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <stratumproxy/unique_fd.hpp>

namespace stratumproxyd {

/// Messages between two processes of this machine: some words each, without NUL, and descriptors.
///
/// Thread: one sends, one receives; end() is for any.
class unix_channel {
 public:
  struct message {
    std::vector<std::string> words;
    std::vector<stratumproxy::unique_fd> descriptors;
  };
  static constexpr std::size_t most_descriptors = 64;  ///< with one message

  explicit unix_channel(stratumproxy::unique_fd socket) : socket_(std::move(socket)) {}
  /// Nothing when nobody listens there.
  [[nodiscard]] static std::optional<unix_channel> to(const std::filesystem::path& path);

  /// Whether the process at the other end may ask for this one's place: it runs as this one's user, or as root.
  [[nodiscard]] bool may_ask() const noexcept;
  /// Whether this one may ask for the other one's: it runs as the same user, or this one as root.
  [[nodiscard]] bool may_be_asked() const noexcept;
  /// How long send() and receive() wait, from now on; 0: for ever.
  void set_patience(std::chrono::milliseconds limit) noexcept;

  /// False when the other end is gone or does not listen.
  [[nodiscard]] bool send(std::span<const std::string> words, std::span<const stratumproxy::unique_fd> descriptors = {}) noexcept;
  /// Nothing when the other end is gone, or the time is over.
  [[nodiscard]] std::optional<message> receive();

  /// The other end cannot send any more. What it sent is still received, then comes the end.
  void end_input() noexcept;
  /// Ends both directions. The descriptor stays until the channel is destroyed.
  void end() noexcept;

 private:
  stratumproxy::unique_fd socket_;
};

/// Where channels come in: a socket in the file system that only this user can open. The name stays behind: by then it may be another
/// process's.
class unix_listener {
 public:
  /// Listens, but as PATH.new: whoever answers at the path goes on to do so. Throws std::system_error, or what require_no_other_file() does.
  explicit unix_listener(std::filesystem::path path);
  /// A file of another kind that has this name, or the one the socket has at first (PATH.new), would be lost: throws std::runtime_error with
  /// one actionable line.
  static void require_no_other_file(const std::filesystem::path& path);
  /// Takes the place of the socket that is there, so that at every moment somebody answers: the one before or this. Throws std::system_error.
  void take_name();

  /// Waits for one, also while there is no descriptor left for it. After end(): those that had come before, and then nothing.
  [[nodiscard]] std::optional<unix_channel> accept();
  /// From any thread.
  void end() noexcept;

 private:
  std::filesystem::path path_;
  stratumproxy::unique_fd socket_;
};

}  // namespace stratumproxyd
