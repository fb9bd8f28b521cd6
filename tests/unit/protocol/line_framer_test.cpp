#include "stratumproxy/protocol/line_framer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace stratumproxy;
using protocol::line_framer;

namespace {

struct outcome {
  std::vector<std::string> lines;
  std::error_code error;
};

void drain(line_framer& framer, outcome& seen) {
  for (;;) {
    const auto line = framer.next();
    if (!line) {
      seen.error = line.error();
      return;
    }
    if (line->empty()) return;
    seen.lines.emplace_back(line->begin(), line->end());
    std::fill(line->begin(), line->end(), '#');  // as decoding in place would
  }
}

// Feeds the pieces as a connection does: each from a buffer that is overwritten afterwards.
outcome feed_pieces(line_framer& framer, const std::vector<std::string>& pieces) {
  outcome seen;
  for (std::string piece : pieces) {
    framer.feed(piece);
    drain(framer, seen);
    framer.keep();
    std::fill(piece.begin(), piece.end(), '!');
    if (seen.error) break;
  }
  return seen;
}

outcome feed_whole(const std::string& text, std::size_t limit = 8192) {
  line_framer framer(limit);
  return feed_pieces(framer, {text});
}

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("lines are cut at LF, and a CR before it is dropped") {
  CHECK(feed_whole("one\ntwo\r\nthree\n").lines == strings{"one", "two", "three"});
  CHECK(feed_whole("a\rb\n").lines == strings{"a\rb"});
  CHECK(feed_whole("a\r\r\n").lines == strings{"a\r"});
}

TEST_CASE("an incomplete line is not given out") {
  line_framer framer(100);
  std::string text = "one\ntw";
  framer.feed(text);
  outcome seen;
  drain(framer, seen);
  CHECK(seen.lines == strings{"one"});
  CHECK(std::string(framer.unread().begin(), framer.unread().end()) == "tw");
}

TEST_CASE("empty lines are skipped and counted") {
  line_framer framer(100);
  const auto seen = feed_pieces(framer, {"\n\r\nx\n\n", "\r", "\ny\n"});
  CHECK(seen.lines == strings{"x", "y"});
  CHECK(framer.take_empty_lines() == 4);
  CHECK(framer.take_empty_lines() == 0);
}

TEST_CASE("lines are the same wherever the stream is split in two") {
  const std::string text = "{\"id\":1}\r\n\n\n{\"id\":22}\n\r\nlast\n";
  const strings expected{"{\"id\":1}", "{\"id\":22}", "last"};
  for (std::size_t split = 0; split <= text.size(); ++split) {
    line_framer framer(12);
    const auto seen = feed_pieces(framer, {text.substr(0, split), text.substr(split)});
    INFO("split at " << split);
    CHECK(seen.lines == expected);
    CHECK_FALSE(seen.error);
    CHECK(framer.take_empty_lines() == 3);
    CHECK(framer.unread().empty());
  }
}

TEST_CASE("lines are the same byte by byte and in random pieces") {
  std::string text;
  strings expected;
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    expected.push_back("line " + std::to_string(i) + std::string(random() % 90, 'x'));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
    if (i % 7 == 0) text += "\n";
  }
  strings bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  line_framer bytewise(128);
  CHECK(feed_pieces(bytewise, bytes).lines == expected);

  for (int round = 0; round < 50; ++round) {
    strings pieces;
    for (std::size_t at = 0; at < text.size(); at += pieces.back().size()) {
      pieces.push_back(text.substr(at, 1 + random() % 150));
    }
    line_framer framer(128);
    CHECK(feed_pieces(framer, pieces).lines == expected);
  }
}

TEST_CASE("a line of exactly the limit, line end included, passes; one byte more fails") {
  const auto passes = feed_whole(std::string(8191, 'x') + "\n");
  CHECK(passes.lines.size() == 1);
  CHECK_FALSE(passes.error);

  const auto crlf = feed_whole(std::string(8190, 'x') + "\r\n");
  CHECK(crlf.lines.size() == 1);

  const auto fails = feed_whole(std::string(8192, 'x') + "\n");
  CHECK(fails.lines.empty());
  CHECK(fails.error == errc::line_too_long);
}

TEST_CASE("a line that does not end fails as soon as the limit is there") {
  line_framer framer(16);
  CHECK_FALSE(feed_pieces(framer, {std::string(15, 'x')}).error);
  CHECK(feed_pieces(framer, {"x"}).error == errc::line_too_long);
  CHECK(framer.next().error() == errc::line_too_long);
}

TEST_CASE("the limit counts each line anew") {
  line_framer framer(4);
  const auto seen = feed_pieces(framer, {"abc\nde", "f\nghi", "j\n"});
  CHECK(seen.lines == strings{"abc", "def"});
  CHECK(seen.error == errc::line_too_long);
}

TEST_CASE("memory is held only while a line is incomplete") {
  line_framer framer(8192);
  const auto idle = framer.memory();
  feed_pieces(framer, {std::string(4000, 'x')});
  CHECK(framer.memory() >= 4000);
  feed_pieces(framer, {std::string(4000, 'x') + "\nrest"});
  CHECK(framer.memory() < 64);
  feed_pieces(framer, {"\n"});
  CHECK(framer.memory() == idle);
}

TEST_CASE("complete lines survive a wait, and new bytes go behind them") {
  line_framer framer(100);
  std::string text = "one\ntwo\nthr";
  framer.feed(text);
  CHECK(framer.next()->size() == 3);
  framer.keep();
  text.assign(text.size(), '!');

  std::string more = "ee\n";
  framer.feed(more);
  outcome seen;
  drain(framer, seen);
  CHECK(seen.lines == strings{"two", "three"});
}

TEST_CASE("a framer that is moved keeps what it has not given out") {
  line_framer first(100);
  feed_pieces(first, {"half"});
  line_framer second(std::move(first));
  CHECK(feed_pieces(second, {" and half\n"}).lines == strings{"half and half"});
}
