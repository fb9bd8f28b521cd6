#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "line_decoder.hpp"

using namespace stratumproxy;
using namespace stratumproxy::protocol;

namespace {

const std::string prevhash = "13f46cc7bf03a16697170dbb9d15680b7e75fcf10846037f171d7f6b00000000";
const std::string branch = "7f242ffa4ecdfb6d0eb38add6e0fbdb486401d126eb24b0602c129e3bc11d464";

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// The nine parameters, each as JSON text, to be changed one by one.
std::vector<std::string> good_params() {
  return {quoted("j1"),       quoted(prevhash),   quoted("0100aa"),   quoted("bb00"), "[" + quoted(branch) + "]",
          quoted("20000000"), quoted("170331db"), quoted("66a00000"), "true"};
}

std::string notify(const std::vector<std::string>& params) {
  std::string line = R"({"id":null,"method":"mining.notify","params":[)";
  for (std::size_t i = 0; i < params.size(); ++i) line += (i ? "," : "") + params[i];
  return line + "]}";
}

bool is_bad(const std::vector<std::string>& params, unsigned coinb1_index = 2) {
  line_decoder decoder;
  const auto message = decoder.pool(notify(params), coinb1_index);
  return message && std::holds_alternative<bad_message>(message->body);
}

job read(const std::vector<std::string>& params, unsigned coinb1_index = 2) {
  line_decoder decoder;
  return decoder.pool_body_of<job>(notify(params), coinb1_index);
}

std::string sent(const job& work, bool clean = true, std::uint32_t ntime = 0x66a00000, std::string_view insert = "") {
  std::string out;
  encode_notify(out, work, 0x1f, insert, ntime, clean);
  line_decoder decoder;
  REQUIRE(decoder.pool(std::string_view(out).substr(0, out.size() - 1)));  // valid JSON
  REQUIRE(out.back() == '\n');
  return out;
}

std::string expected(std::vector<std::string> params) {
  params[0] = quoted("1f");
  return notify(params) + "\n";
}

}  // namespace

TEST_CASE("a job is read and sent on under another id, with bytes behind coinb1, another ntime and clean flag") {
  auto params = good_params();
  const auto work = read(params);
  CHECK(work.pool_id == "j1");
  CHECK(work.version == 0x20000000);
  CHECK(work.nbits == 0x170331db);
  CHECK(work.ntime == 0x66a00000);
  CHECK(work.clean);
  CHECK(sent(work) == expected(params));

  params[2] = quoted("0100aaf00f0001");
  params[7] = quoted("0000002a");
  params[8] = "false";
  CHECK(sent(work, false, 42, "f00f0001") == expected(params));
}

TEST_CASE("parameters behind the ones we know keep their value and place") {
  auto params = good_params();
  params.insert(params.end(), {quoted("extra"), "7", "-1.50e3", "null", "false", R"([[1,"a"],{"k":{}}])"});
  CHECK(sent(read(params)) == expected(params));
  params[8] = "false";
  CHECK_FALSE(read(params).clean);
  CHECK(sent(read(params), false) == expected(params));
}

TEST_CASE("a parameter before the clean flag keeps its place") {
  auto params = good_params();
  params.insert(params.begin() + 8, quoted("reward"));
  CHECK(read(params).clean);
  CHECK(sent(read(params)) == expected(params));
}

TEST_CASE("a job without a clean flag is clean, and is sent with one") {
  auto params = good_params();
  params.pop_back();
  const auto work = read(params);
  CHECK(work.clean);
  CHECK(sent(work) == expected(good_params()));

  params.push_back(quoted("tail"));
  CHECK(sent(read(params), false) == expected([&] {
          auto with_flag = params;
          with_flag.push_back("false");
          return with_flag;
        }()));
}

TEST_CASE("with coinb1 at position 3, as for LBRY, a hash stands before it") {
  auto params = good_params();
  params.insert(params.begin() + 2, quoted(branch));
  const auto work = read(params, 3);
  CHECK(sent(work) == expected(params));
  params[3] = quoted("0100aaee");
  CHECK(sent(work, true, 0x66a00000, "ee") == expected(params));
  CHECK(is_bad(params, 2));
  CHECK(is_bad(good_params(), 3));
}

TEST_CASE("job ids are opaque texts of 1 to 256 bytes") {
  auto params = good_params();
  params[0] = R"("weird id\/é \" \u0000")";
  CHECK(read(params).pool_id == std::string("weird id/\xc3\xa9 \" \0", 15));
  params[0] = quoted(std::string(256, 'x'));
  CHECK(read(params).pool_id.size() == 256);
  for (const auto& id : {quoted(std::string(257, 'x')), quoted(""), std::string("null"), std::string("5"), std::string("[]")}) {
    INFO(id);
    params[0] = id;
    CHECK(is_bad(params));
  }
}

TEST_CASE("no field of the wrong type, length or alphabet passes") {
  for (std::size_t field = 1; field < 8; ++field) {
    std::vector<std::string> wrong{"null", "12345", "true", "{}", quoted("zz"), quoted("0"), quoted(" 0"), quoted("-1")};
    if (field != 4) wrong.insert(wrong.end(), {"[]", quoted(std::string(65538, '0'))});
    if (field != 2 && field != 3) wrong.insert(wrong.end(), {quoted("00"), quoted("")});
    if (field == 4) {
      wrong.insert(wrong.end(),
                   {"[1]", "[null]", "[[]]", "[" + quoted("00") + "]", "[" + quoted(branch) + "," + quoted("") + "]"});
    }
    for (const auto& value : wrong) {
      auto params = good_params();
      params[field] = value;
      INFO("field " << field << ": " << value.substr(0, 80));
      CHECK(is_bad(params));
    }
  }
}

TEST_CASE("upper-case hex and empty or largest coinbase parts pass") {
  auto params = good_params();
  params[2] = quoted("");
  params[3] = quoted(std::string(65536, 'F'));
  params[5] = quoted("2000ABCD");
  CHECK(sent(read(params)) == expected(params));
}

TEST_CASE("ntime is written in lower case, so that a job sent on as it came equals itself") {
  auto params = good_params();
  params[7] = quoted("66A000FF");
  const auto work = read(params);
  params[7] = quoted("66a000ff");
  CHECK(work.same_work(read(params)));
  CHECK(sent(work, true, work.ntime) == expected(params));
}

TEST_CASE("32 branches pass, 33 do not") {
  const auto branches = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) (list += i ? ',' : '[') += quoted(branch);
    return list += ']';
  };
  auto params = good_params();
  params[4] = branches(32);
  CHECK(sent(read(params)) == expected(params));
  params[4] = branches(33);
  CHECK(is_bad(params));
  params[4] = "[]";
  CHECK(sent(read(params)) == expected(params));
}

TEST_CASE("a job with too few parameters or a huge tail is refused") {
  for (std::size_t count = 0; count < 8; ++count) {
    auto params = good_params();
    params.resize(count);
    CHECK(is_bad(params));
  }
  auto params = good_params();
  params.push_back(quoted(std::string(5000, 'x')));
  CHECK(is_bad(params));
  line_decoder decoder;
  CHECK(std::get<bad_message>(decoder.pool(R"({"method":"mining.notify","params":{}})")->body).method == "mining.notify");
  CHECK(std::holds_alternative<bad_message>(decoder.pool(R"({"method":"mining.notify"})")->body));
}

TEST_CASE("jobs are the same work when they differ in the clean flag only") {
  auto params = good_params();
  const auto first = read(params);
  params[8] = "false";
  CHECK(first.same_work(read(params)));
  params[7] = quoted("66a00001");
  CHECK_FALSE(first.same_work(read(params)));
  params = good_params();
  params[0] = quoted("j2");
  CHECK_FALSE(first.same_work(read(params)));
  params = good_params();
  params.push_back("1");
  CHECK_FALSE(first.same_work(read(params)));
}

TEST_CASE("a job of another dialect is no job") {
  line_decoder decoder;
  const auto is_refused = [&](std::string_view params) {
    const auto message = decoder.pool(R"({"id":null,"method":"mining.notify","params":)" + std::string(params) + "}");
    return message && std::holds_alternative<bad_message>(message->body);
  };
  CHECK(is_refused(R"(["j","0x00","0x11",true])"));
  CHECK(is_refused(R"(["j",[1,18446744073709551615,3,4],1700000000])"));
}
