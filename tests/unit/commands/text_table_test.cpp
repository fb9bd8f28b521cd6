#include <catch2/catch.hpp>

#include "commands/text_table.hpp"

using namespace stratumproxyd;

TEST_CASE("columns are as wide as they need to be, and numbers stand right") {
  text_table table({"NAME", "SHARES", "POOL"});
  CHECK(table.text() == "NAME  SHARES  POOL\n");
  table.add({"a", "7", "x:1"});
  table.add({"bär", "12345678", ""});
  CHECK(table.size() == 2);
  CHECK(table.text() ==
        "NAME    SHARES  POOL\n"
        "a            7  x:1\n"
        "bär   12345678\n");
}

TEST_CASE("what others wrote cannot steer a terminal") {
  CHECK(visible("rig-1 \xc3\xa9") == "rig-1 \xc3\xa9");
  CHECK(visible("\x1b[2J\x07\r\n\x7f") == "?[2J????");
  CHECK(visible("\xc2\x9b"
                "31m") == "?31m");  // the control sequence introducer in one character
  CHECK(visible("a\xe2\x80\xae"
                "b") == "a?b");                       // right to left
  CHECK(visible("Bob\u2019s rig \u2013 1\u2026") == "Bob\u2019s rig \u2013 1\u2026");
  CHECK(visible("\u200b\u2028\u2066\ufeff") == "????");
  CHECK(visible("\xff\xc3(\xed\xa0\x80") == "?" "?(?");  // not UTF-8, and no trigraph
}

TEST_CASE("a line is cut by characters, not bytes") {
  CHECK(width_of("b\xc3\xa4r") == 3);
  CHECK(first_columns("b\xc3\xa4r", 2) == "b\xc3\xa4");
  CHECK(first_columns("b\xc3\xa4r", 0).empty());
  CHECK(first_columns("ab", 5) == "ab");
}

TEST_CASE("rates, ages and numbers are short") {
  CHECK(hashrate_text(0) == "0.0 H/s");
  CHECK(hashrate_text(1.05644e14) == "105.6 TH/s");
  CHECK(hashrate_text(999'960) == "1.0 MH/s");
  CHECK(hashrate_text(5e21) == "5000.0 EH/s");
  CHECK(age_text(-1) == "0 s");
  CHECK(age_text(59.9) == "59 s");
  CHECK(age_text(3'661) == "1 h 1 min");
  CHECK(age_text(90'000) == "1 d 1 h");
  CHECK(number_text(65'536) == "65536");
  CHECK(number_text(0.000'015'258'8) == "1.52588e-05");
  CHECK(number_text(0.5) == "0.5");
}
