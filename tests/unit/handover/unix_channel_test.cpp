#include "handover/unix_channel.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxyd;
using stratumproxy::unique_fd;

namespace {

struct directory {
  std::filesystem::path path;
  directory() {
    std::string name = (std::filesystem::temp_directory_path() / "spx-channel-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~directory() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::filesystem::path socket() const { return path / "socket"; }
};

std::vector<unique_fd> descriptors(std::size_t count) {
  std::vector<unique_fd> made;
  for (std::size_t i = 0; i < count; ++i) made.emplace_back(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return made;
}

ino_t inode_of(int fd) {
  struct stat info {};
  REQUIRE(::fstat(fd, &info) == 0);
  return info.st_ino;
}

unix_listener listening(const std::filesystem::path& path) {
  unix_listener made(path);
  made.take_name();
  return made;
}

struct pair {
  directory at;
  unix_listener listener = listening(at.socket());
  unix_channel one = *unix_channel::to(at.socket());
  unix_channel other = *listener.accept();
};

}  // namespace

TEST_CASE("words and descriptors come as they were sent, each message for itself") {
  pair ends;
  CHECK(ends.one.may_be_asked());
  CHECK(ends.other.may_ask());
  const auto sent = descriptors(unix_channel::most_descriptors);
  REQUIRE(ends.one.send(std::vector<std::string>{"take", "", "a b\n"}));
  REQUIRE(ends.one.send(std::vector<std::string>{"sockets"}, sent));
  const auto first = ends.other.receive();
  REQUIRE(first);
  CHECK(first->words == std::vector<std::string>{"take", "", "a b\n"});
  CHECK(first->descriptors.empty());
  const auto second = ends.other.receive();
  REQUIRE(second);
  CHECK(second->words == std::vector<std::string>{"sockets"});
  REQUIRE(second->descriptors.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CHECK(second->descriptors[i].get() != sent[i].get());
    CHECK(inode_of(second->descriptors[i].get()) == inode_of(sent[i].get()));
  }
}

TEST_CASE("the end of the other side, and of the patience, is seen") {
  pair ends;
  ends.other.set_patience(std::chrono::milliseconds(1));
  CHECK_FALSE(ends.other.receive());
  ends.other.set_patience(std::chrono::milliseconds(0));
  REQUIRE(ends.one.send(std::vector<std::string>{"last"}));
  ends.one.end();
  CHECK(ends.other.receive());
  CHECK_FALSE(ends.other.receive());
  CHECK_FALSE(ends.other.send(std::vector<std::string>{"too late"}));
}

TEST_CASE("who stops listening still gets what was sent before, and the sender learns of it") {
  pair ends;
  REQUIRE(ends.one.send(std::vector<std::string>{"before"}));
  ends.other.end_input();
  CHECK_FALSE(ends.one.send(std::vector<std::string>{"after"}));
  const auto got = ends.other.receive();
  REQUIRE(got);
  CHECK(got->words.front() == "before");
  CHECK_FALSE(ends.other.receive());
}

#ifndef __SANITIZE_ADDRESS__  // UBSan looks at objects through a pipe, and takes them for broken ones where it gets none
TEST_CASE("whoever comes while there is no descriptor left waits for one") {
  const directory at;
  auto listener = listening(at.socket());
  const auto one = unix_channel::to(at.socket());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(descriptors(1).front().get());  // the next one would have this number
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  auto accepted = std::async(std::launch::async, [&] { return listener.accept().has_value(); });
  const auto is_over = accepted.wait_for(std::chrono::milliseconds(50));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(is_over == std::future_status::timeout);
  CHECK(accepted.get());
}
#endif

TEST_CASE("a socket is its user's alone, and takes the place of the one before") {
  const directory at;
  CHECK_FALSE(unix_channel::to(at.socket()));
  auto first = listening(at.socket());
  struct stat info {};
  REQUIRE(::stat(at.socket().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  unix_listener second(at.socket());
  CHECK(unix_channel::to(at.socket()));
  CHECK(first.accept());
  second.take_name();
  CHECK(std::distance(std::filesystem::directory_iterator(at.path), {}) == 1);
  std::thread waits([&] { CHECK_FALSE(first.accept()); });
  first.end();
  waits.join();
  CHECK(unix_channel::to(at.socket()));
  CHECK_THROWS_AS(unix_listener(at.path / "none" / "socket"), std::system_error);
  CHECK_THROWS_AS(unix_listener(std::string(200, 'x')), std::system_error);
}

TEST_CASE("a file that is no socket does not lose its name to one") {
  const directory at;
  for (const auto& name : {at.socket(), at.path / "socket.new"}) {
    std::ofstream(name) << "a database";
    CHECK_THROWS_WITH(unix_listener(at.socket()), Catch::Contains(name.string() + " is there and is no socket"));
    CHECK(std::filesystem::file_size(name) == 10);
    std::filesystem::remove(name);
    std::filesystem::create_symlink("nowhere", name);
    CHECK_THROWS_AS(unix_listener(at.socket()), std::runtime_error);
    CHECK(std::filesystem::is_symlink(name));
    std::filesystem::remove(name);
  }
}

TEST_CASE("root may ask another user's process, which may not ask root's") {
  if (::geteuid() != 0) return;  // only root can be two users
  constexpr uid_t somebody = 65'534;
  const directory at;
  REQUIRE(::chown(at.path.c_str(), somebody, somebody) == 0);
  REQUIRE(::seteuid(somebody) == 0);
  auto theirs = listening(at.socket());
  REQUIRE(::seteuid(0) == 0);
  const auto asking = unix_channel::to(at.socket());
  const auto asked = theirs.accept();
  REQUIRE((asking && asked));
  CHECK(asking->may_be_asked());
  REQUIRE(::seteuid(somebody) == 0);
  const bool may_root = asked->may_ask(), may_they = asking->may_ask();
  const auto own = unix_channel::to(at.socket());
  REQUIRE(::seteuid(0) == 0);
  CHECK(may_root);
  CHECK(may_they);
  REQUIRE(own);
  CHECK_FALSE(theirs.accept()->may_ask());

  auto of_root = listening(at.path / "root");
  const auto rash = unix_channel::to(at.path / "root");
  REQUIRE(::seteuid(somebody) == 0);
  const bool is_asked = rash->may_be_asked();
  REQUIRE(::seteuid(0) == 0);
  CHECK_FALSE(is_asked);
}
