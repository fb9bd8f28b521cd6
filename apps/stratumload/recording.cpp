#include "recording.hpp"

#include <fmt/format.h>
#include <rapidjson/document.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string_view>

namespace stratumload {
namespace {

using act = recorded_event::act;

constexpr std::uintmax_t largest_file = 2'000'000'000;
constexpr std::size_t longest_line = 4 * 1024 * 1024;
constexpr unsigned known_format = 1;

class reader {
 public:
  explicit reader(const std::string& file) : name_(file) {}

  recording read() {
    std::error_code error;
    if (std::filesystem::file_size(name_, error) > largest_file || error)
      throw std::runtime_error(fmt::format("cannot read {}: {}", name_, error ? error.message() : "it is larger than 2 GB"));
    std::ifstream in(name_);
    for (std::string text; std::getline(in, text);) {
      ++line_;
      if (text.empty()) continue;
      if (text.size() > longest_line) fail("too long");
      document_.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(text.data(), text.size());
      if (document_.HasParseError() || !document_.IsObject()) {
        if (in.eof() && is_proxys_) break;  // the daemon ended while it wrote this one
        fail("no JSON object");
      }
      take();
    }
    // Nor the links that it still kept for nobody.
    while (!out_.events.empty() && out_.events.back().what == act::end && !out_.events.back().by_peer) out_.events.pop_back();
    if (out_.events.empty()) throw std::runtime_error(fmt::format("{} holds no conversation", name_));
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(std::string_view why) const { throw std::runtime_error(fmt::format("{}:{}: {}", name_, line_, why)); }

  [[nodiscard]] std::string text(const char* key) const {
    const auto found = document_.FindMember(key);
    return found != document_.MemberEnd() && found->value.IsString() ? std::string(found->value.GetString(), found->value.GetStringLength())
                                                                     : std::string();
  }
  [[nodiscard]] std::uint64_t number(const char* key) const {
    const auto found = document_.FindMember(key);
    return found != document_.MemberEnd() && found->value.IsUint64() ? found->value.GetUint64() : 0;
  }

  void take() {
    if (line_ == 1 && document_.HasMember("recording")) {
      is_proxys_ = true;
      if (number("format") != known_format)
        fail(fmt::format("a recording of format {}; this program reads format {}", number("format"), known_format));
      return;
    }
    if (!is_proxys_) return take_plain();
    if (text("end") == "recording") {
      if (number("dropped") > 0)
        fail(fmt::format("the recording is incomplete: {} of {} events were dropped", number("dropped"), number("events")));
      return;
    }
    if (const auto opened = text("open"); !opened.empty()) return take_open(opened == "pool" ? side::pool : side::miner);
    const auto found = by_number_.find(number("conversation"));
    if (found == by_number_.end()) return;  // the connection was there before the recording began
    const auto who = found->second;
    const auto& peer = out_.conversations[who].peer;
    recorded_event event{.conversation = who, .file_line = line_, .microseconds = static_cast<std::int64_t>(number("us"))};
    if (document_.HasMember("end")) {
      by_number_.erase(found);
      event.what = act::end;
      event.by_peer = text("by") == name(peer);
      event.text = text("reason");
      is_stopping_ = is_stopping_ || event.text == "shutdown";
      if (is_stopping_ && !event.by_peer) return;
    } else {
      const auto direction = text("dir");
      event.by_peer = direction == fmt::format("{}>proxy", name(peer));
      if (!event.by_peer && direction != fmt::format("proxy>{}", name(peer))) fail("neither a line nor a connection");
      event.text = text("line");
    }
    out_.events.push_back(std::move(event));
  }

  void take_open(side peer) {
    recorded_conversation opened{.peer = peer, .number = number("conversation"), .address = text("address"), .link = number("link"),
                                 .account = text("account"), .algorithm = text("algorithm")};
    if (const auto worker = by_number_.find(number("worker")); worker != by_number_.end()) opened.worker = worker->second;
    by_number_[opened.number] = out_.conversations.size();
    out_.events.push_back({.what = act::open, .by_peer = peer == side::miner, .conversation = out_.conversations.size(),
                           .file_line = line_, .microseconds = static_cast<std::int64_t>(number("us"))});
    out_.conversations.push_back(std::move(opened));
  }

  void take_plain() {
    const auto direction = text("dir");
    const bool from_miner = direction == "miner>pool";
    if (!from_miner && direction != "pool>miner") fail("this is no recording: no \"dir\" that says miner>pool or pool>miner");
    if (out_.conversations.empty()) {
      out_.is_plain = true;
      for (const auto peer : {side::miner, side::pool}) {
        out_.events.push_back({.what = act::open, .by_peer = peer == side::miner, .conversation = out_.conversations.size(),
                               .file_line = line_});
        out_.conversations.push_back({.peer = peer, .number = 1});
      }
    }
    for (const auto peer : {side::miner, side::pool})
      out_.events.push_back({.by_peer = from_miner == (peer == side::miner), .conversation = peer == side::miner ? 0u : 1u,
                             .file_line = line_, .text = text("line")});
  }

  std::string name_;
  std::size_t line_ = 0;
  bool is_proxys_ = false;
  bool is_stopping_ = false;  // the proxy ends what is left; that is no part of what was said
  rapidjson::Document document_;
  std::map<std::uint64_t, std::size_t> by_number_;
  recording out_;
};

}  // namespace

recording load_recording(const std::string& file) { return reader(file).read(); }

}  // namespace stratumload
