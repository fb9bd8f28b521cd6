#include "stratumproxy/bans.hpp"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace stratumproxy;

namespace {

std::shared_ptr<const ban_list> list_of(const std::vector<ban>& bans) {
  auto made = ban_list::make(bans);
  REQUIRE(made);
  return *made;
}

std::string reason(const std::string* text) { return text ? *text : "-"; }

}  // namespace

TEST_CASE("there is one way to write a subject") {
  const std::pair<std::string, std::string> same[] = {
      {"10.1.2.3", "10.1.2.3"},         {"10.1.2.3/32", "10.1.2.3"},        {"10.0.0.0/8", "10.0.0.0/8"},
      {"0.0.0.0/0", "0.0.0.0/0"},       {"::ffff:10.1.2.3", "10.1.2.3"},    {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
      {"2001:DB8::1", "2001:db8::1"},   {"2001:db8:0:0::/32", "2001:db8::/32"}, {"::/0", "::/0"},
      {"::1/128", "::1"},               {"1b8e2f60a45d97c3", "1b8e2f60a45d97c3"}, {"Alice-1", "Alice-1"},
      {"::ffff:0:0/95", "::fffe:0:0/95"}};
  for (const auto& [given, expected] : same) {
    CAPTURE(given);
    const auto canonical = ban_list::canonical(given);
    if (given == "::ffff:0:0/95") {  // has a bit behind its prefix
      CHECK(canonical.error() == errc::out_of_range);
      continue;
    }
    REQUIRE(canonical);
    CHECK(*canonical == expected);
    CHECK(*ban_list::canonical(*canonical) == *canonical);
  }
}

TEST_CASE("what is neither an address nor a network nor a name is refused") {
  for (const std::string text : {"", "10.1.2", "10.1.2.3.4", "10.1.2.256", "10.1.2.3:80", "[::1]", "fe80::1%eth0", "10.0.0.0/", "10.0.0.0/a",
                                 "10.0.0.0/+8", "10.0.0.0/8/8", "/8", "a.b", "a/b", "a b", "::g", ":::", "010.0.0.1 ", "ali\xc3\xa7""e"}) {
    CAPTURE(text);
    CHECK(ban_list::canonical(text).error() == errc::bad_address);
    CHECK(ban_list::make(std::vector<ban>{{text, ""}}).error() == errc::bad_address);
    CHECK_FALSE(ban_list::covers_loopback(text));
  }
  for (const std::string text : {"10.0.0.1/8", "10.0.0.0/33", "::/129", "2001:db8::1/64", "10.0.0.0/4294967304"}) {
    CAPTURE(text);
    const auto error = ban_list::canonical(text).error();
    CHECK((error == errc::out_of_range || text.ends_with("304")));
    CHECK(error);
  }
}

TEST_CASE("loopback is seen in whatever covers it") {
  for (const std::string text : {"127.0.0.1", "127.9.9.9", "127.0.0.0/8", "0.0.0.0/0", "::/0", "::1", "::/127", "::ffff:127.0.0.1", "126.0.0.0/7"}) {
    CAPTURE(text);
    CHECK(ban_list::covers_loopback(text));
  }
  for (const std::string text : {"128.0.0.1", "126.0.0.0/8", "::2", "2001:db8::/32", "127001", "fe80::/10"}) {
    CAPTURE(text);
    CHECK_FALSE(ban_list::covers_loopback(text));
  }
}

TEST_CASE("addresses are found in their networks, and accounts by their names") {
  const auto bans = list_of({{"10.1.2.3", "one"}, {"10.0.0.0/8", "ten"}, {"192.168.0.0/31", "two"}, {"2001:db8::/32", "six"}, {"::1", "here"}, {"alice", "name"}});
  CHECK_FALSE(bans->is_empty());
  const std::pair<std::string, std::string> expected[] = {
      {"10.1.2.3", "ten"},  {"10.255.255.255", "ten"}, {"9.255.255.255", "-"},   {"11.0.0.0", "-"},           {"192.168.0.0", "two"},
      {"192.168.0.1", "two"}, {"192.168.0.2", "-"},    {"191.255.255.255", "-"}, {"2001:db8::", "six"},       {"2001:db8:ffff::1", "six"},
      {"2001:db9::", "-"},  {"2001:db7:ffff::", "-"},  {"::1", "here"},          {"::2", "-"},                {"::ffff:10.0.0.1", "ten"},
      {"alice", "-"},       {"", "-"},                 {"10.0.0.0/8", "-"},      {"2001:db8::1%eth0", "six"}, {"255.255.255.255", "-"}};
  for (const auto& [address, why] : expected) {
    CAPTURE(address);
    CHECK(reason(bans->of_address(address)) == why);
  }
  CHECK(reason(bans->of_account("alice")) == "name");
  CHECK(reason(bans->of_account("Alice")) == "-");
  CHECK(reason(bans->of_account("10.1.2.3")) == "-");
  const auto none = list_of({});
  CHECK(none->is_empty());
  CHECK(none->of_address("10.0.0.1") == nullptr);
}

TEST_CASE("a network of everything holds everything of its family") {
  const auto four = list_of({{"0.0.0.0/0", "4"}, {"10.0.0.0/8", "ten"}});
  CHECK(reason(four->of_address("10.1.1.1")) == "4");
  CHECK(reason(four->of_address("255.255.255.255")) == "4");
  CHECK(reason(four->of_address("2001:db8::1")) == "-");
  const auto six = list_of({{"::/0", "all"}});
  CHECK(reason(six->of_address("10.1.1.1")) == "all");
}

TEST_CASE("the list answers as asking each network in turn would") {
  std::mt19937 random(7);
  const auto address = [&] {
    std::string text = "10.0";
    for (int i = 0; i < 2; ++i) text += '.' + std::to_string(random() % 8);
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<ban> bans;
    for (auto count = random() % 12; count > 0; --count) {
      const auto prefix = std::to_string(20 + random() % 13);
      auto network = address() + '/' + prefix;
      if (ban_list::canonical(network)) bans.push_back({network, network});
    }
    const auto all = list_of(bans);
    for (int i = 0; i < 50; ++i) {
      const auto wanted = address();
      bool is_in_one = false;
      for (const auto& one : bans) is_in_one |= list_of({one})->of_address(wanted) != nullptr;
      CAPTURE(wanted);
      CHECK((all->of_address(wanted) != nullptr) == is_in_one);
    }
  }
}

TEST_CASE("ten thousand bans are taken, and not one more") {
  std::vector<ban> bans;
  for (std::size_t i = 0; i < ban_list::most; ++i) bans.push_back({"10." + std::to_string(i / 250) + '.' + std::to_string(i % 250) + ".0/25", "x"});
  const auto all = list_of(bans);
  CHECK(all->of_address("10.39.249.127"));
  CHECK_FALSE(all->of_address("10.39.249.128"));
  bans.push_back({"alice", "x"});
  CHECK(ban_list::make(bans).error() == errc::out_of_range);
}
