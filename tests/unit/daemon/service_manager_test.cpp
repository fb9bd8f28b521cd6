#include "service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

using namespace stratumproxyd;

namespace {

// A child, because the descriptors have fixed numbers: its exit status is the number of those that are what `check` wants.
template <class Check>
int in_a_child(int sockets, Check&& check) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int fd = 3; fd < 3 + sockets; ++fd) {
      const int made = ::socket(AF_INET, SOCK_STREAM, 0);
      if (made != fd) ::dup2(made, fd);
    }
    ::_exit(check());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

constexpr int thrown = 99;

}  // namespace

TEST_CASE("sockets of the service manager go by their names, in their order") {
  CHECK(in_a_child(3, [] {
          const auto found = activation_sockets("42", "3", "stratum:web:stratum", 42);
          const bool right = found.stratum.size() == 2 && found.stratum[0].at(0).get() == 3 && found.stratum[1].at(0).get() == 5 &&
                             found.web.get() == 4 && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0;
          return right ? 0 : 1;
        }) == 0);
}

TEST_CASE("without its variables, or with those of another process, nothing is taken") {
  const auto is_nothing = [](const inherited_sockets& found) { return found.stratum.empty() && !found.web; };
  CHECK(is_nothing(activation_sockets(nullptr, nullptr, nullptr, 42)));
  CHECK(is_nothing(activation_sockets("41", "2", "stratum:web", 42)));
  CHECK(is_nothing(activation_sockets("42x", "2", "stratum:web", 42)));
  CHECK(is_nothing(activation_sockets("42", nullptr, "stratum", 42)));
  CHECK(is_nothing(activation_sockets("42", "0", "", 42)));
  CHECK(is_nothing(activation_sockets("42", "-1", "stratum", 42)));
}

TEST_CASE("a socket of another name is refused, and so is a second one for HTTP") {
  for (const char* names : {"stratumproxyd.socket", "web:web", "", "stratum"}) {
    CAPTURE(names);
    CHECK(in_a_child(2, [&]() -> int {
            try {
              (void)activation_sockets("42", "2", names, 42);
            } catch (const std::runtime_error& error) {
              return std::string(error.what()).find("FileDescriptorName=") != std::string::npos ? thrown : 1;
            }
            return 0;
          }) == thrown);
  }
}

TEST_CASE("the service manager hears what it is told, and silence is nobody's fault") {
  ::unsetenv("NOTIFY_SOCKET");
  tell_service_manager("READY=1");
  std::string name = "@spx-notify-test-" + std::to_string(::getpid());
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  tell_service_manager("READY=1");
  const stratumproxy::unique_fd listener(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  name.copy(at.sun_path, name.size());
  at.sun_path[0] = 0;
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
  tell_service_manager("STOPPING=1");
  char text[64];
  const auto got = ::recv(listener.get(), text, sizeof text, MSG_DONTWAIT);
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(std::string(text, got > 0 ? static_cast<std::size_t>(got) : 0) == "STOPPING=1");
}
