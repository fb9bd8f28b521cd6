#include <catch2/catch.hpp>

#include "store/database_url.hpp"
#include "store/text.hpp"

using namespace stratumproxyd;

TEST_CASE("a URL is shown without any password in it") {
  CHECK(without_password("postgresql://host/db") == "postgresql://host/db");
  CHECK(without_password("postgresql://user@host/db") == "postgresql://user@host/db");
  CHECK(without_password("postgresql://user:canary@host:5432/db") == "postgresql://user:***@host:5432/db");
  CHECK(without_password("postgresql://user:can@ary@host/db") == "postgresql://user:***@host/db");
  CHECK(without_password("postgresql://user:can/a?ry@host/db") == "postgresql://user:***@host/db");
  CHECK(without_password("postgresql://host/db?password=canary&user=u") == "postgresql://host/db?password=***&user=u");
  CHECK(without_password("postgresql://host/db?user=u&password=canary") == "postgresql://host/db?user=u&password=***");
  CHECK(without_password("postgresql://u:one@host/db?sslpassword=two") == "postgresql://u:***@host/db?sslpassword=***");
  CHECK(without_password("postgresql://host/db?options=a@b:c") == "postgresql://host/db?options=a@b:c");
  CHECK(without_password("mysql://user:canary@host/db") == "mysql://user:***@host/db");
  CHECK(without_password("user:canary@host") == "user:***@host");
}

TEST_CASE("a library's message is one line, and nothing of it is shown when it quotes a password") {
  const char* url = "postgresql://user:can%61ry@host/db";
  CHECK(without_password("connection refused\n\tIs the server running?\n", url) == "connection refused Is the server running?");
  CHECK(without_password("bad token can%61ry", url).find("can") == std::string::npos);
  CHECK(without_password("bad token canary", url).find("can") == std::string::npos);
  CHECK(without_password("could not translate host name \"nary@host\"", "postgresql://user:ca@nary@host/db").find("nary") == std::string::npos);
  CHECK(without_password("invalid integer value \"can\"", "postgresql://user:can/ary@host/db").find("can\"") == std::string::npos);
}

TEST_CASE("a parameter is added to a URL only where it is not set") {
  CHECK(with_default_parameter("postgresql://h/d", "connect_timeout", "3") == "postgresql://h/d?connect_timeout=3");
  CHECK(with_default_parameter("postgresql://h/d?a=b", "connect_timeout", "3") == "postgresql://h/d?a=b&connect_timeout=3");
  CHECK(with_default_parameter("postgresql://h/d?connect_timeout=9", "connect_timeout", "3") ==
        "postgresql://h/d?connect_timeout=9");
  CHECK(with_default_parameter("postgresql://h/d?a=b&connect_timeout=9", "connect_timeout", "3") ==
        "postgresql://h/d?a=b&connect_timeout=9");
}

TEST_CASE("text is storable when it is UTF-8 without NUL and not too long") {
  CHECK(is_storable("", 0));
  CHECK(is_storable("\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 64));
  for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5",
                          "\xc2", "\xe0\xa0", "a\xff"})
    CHECK_FALSE(is_storable(bad, 64));
  CHECK_FALSE(is_storable("ab", 1));
}
