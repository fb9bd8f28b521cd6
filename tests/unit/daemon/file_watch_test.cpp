#include <catch2/catch.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <semaphore>
#include <string>
#include <system_error>

#include "file_watch.hpp"

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto patience = 20s;

struct house {
  house() {
    std::string name = (fs::temp_directory_path() / "spx-watch-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    directory = name;
    file = directory / "x.toml";
    write("one");
  }
  ~house() {
    watch.reset();
    fs::remove_all(directory);
  }
  void write(const std::string& text) const { std::ofstream(file) << text; }
  void begin() {
    watch.emplace(file);
    watch->start([this] { told.release(); });
  }
  bool is_told() { return told.try_acquire_for(patience); }
  bool is_told_nothing() { return !told.try_acquire_for(300ms); }

  fs::path directory, file;
  std::counting_semaphore<> told{0};
  std::optional<stratumproxyd::file_watch> watch;
};

}  // namespace

TEST_CASE("a file that is written, or renamed over, is another one") {
  house here;
  here.begin();
  here.write("two");
  CHECK(here.is_told());
  std::ofstream(here.directory / "x.toml~") << "three";
  fs::rename(here.directory / "x.toml~", here.file);
  CHECK(here.is_told());
  here.write("four");  // into the new one
  CHECK(here.is_told());
  fs::remove(here.file);
  CHECK(here.is_told());
  here.write("five");
  CHECK(here.is_told());
}

TEST_CASE("changes between making and starting are told") {
  house here;
  here.watch.emplace(here.file);
  here.write("two");
  here.watch->start([&] { here.told.release(); });
  CHECK(here.is_told());
}

TEST_CASE("of changes that follow each other closely the last is told, when it is over") {
  house here;
  std::atomic<int> seen{-1};
  here.watch.emplace(here.file);
  here.watch->start([&] {
    int number = -1;
    std::ifstream(here.file) >> number;
    seen = number;
    here.told.release();
  });
  for (int i = 0; i < 20; ++i) here.write(std::to_string(i));
  // A machine that stops in between may make it more than one.
  for (int i = 0; i < 20 && here.is_told() && seen != 19; ++i) {}
  here.watch.reset();
  CHECK(seen == 19);
}

TEST_CASE("other files of the directory are nobody's business") {
  house here;
  here.begin();
  for (int i = 0; i < 20; ++i) std::ofstream(here.directory / ("other" + std::to_string(i))) << i;
  fs::rename(here.directory / "other1", here.directory / "other2");
  CHECK(here.is_told_nothing());
  here.write("two");
  CHECK(here.is_told());
}

// As Kubernetes mounts a ConfigMap: the file is a link to a link, and the second one is what changes.
TEST_CASE("a link that leads elsewhere is another file, and so is what it leads to when written") {
  house here;
  fs::remove(here.file);
  for (const char* name : {"1", "2"}) {
    fs::create_directory(here.directory / name);
    std::ofstream(here.directory / name / "x.toml") << name;
  }
  fs::create_directory_symlink("1", here.directory / "data");
  fs::create_symlink("data/x.toml", here.file);
  here.begin();
  fs::create_directory_symlink("2", here.directory / "new");
  fs::rename(here.directory / "new", here.directory / "data");
  CHECK(here.is_told());
  std::ofstream(here.directory / "2" / "x.toml") << "another";
  CHECK(here.is_told());
  std::ofstream(here.directory / "1" / "x.toml") << "nobody reads it";
  CHECK(here.is_told_nothing());
}

TEST_CASE("a directory that is not there cannot be watched") {
  CHECK_THROWS_AS(stratumproxyd::file_watch("/nowhere/at/all.toml"), std::system_error);
}
