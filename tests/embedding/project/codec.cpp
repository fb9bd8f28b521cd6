// The protocol codec alone: bytes of a miner in, a typed message out, and the answer as bytes.
#include <cstdio>
#include <string>
#include <variant>

#include <stratumproxy/protocol/codec.hpp>
#include <stratumproxy/protocol/line_framer.hpp>

namespace protocol = stratumproxy::protocol;

int main() {
  // As a socket gives them: one message and the beginning of another.
  std::string bytes = R"({"id":"s1","method":"mining.submit","params":["farm.shelf1","1a","00000f","6560f1a2","9b3c01d4"]})"
                      "\n{\"id\":2,\"meth";
  protocol::line_framer lines(8'192);
  protocol::decoder decoder;
  std::string answers;

  lines.feed(bytes);
  for (auto line = lines.next(); line && !line->empty(); line = lines.next()) {
    const auto message = decoder.decode_miner(*line);
    if (!message) {
      std::printf("unusable: %s\n", message.error().message().c_str());
    } else if (const auto* share = std::get_if<protocol::submit>(&message->body)) {
      std::printf("a share of %.*s\n", static_cast<int>(share->worker.size()), share->worker.data());
      protocol::encode_error(answers, message->id, 21, "Job not found");
    }
  }
  lines.keep();  // the unfinished line waits for its rest
  std::printf("%s%zu bytes wait\n", answers.c_str(), lines.unread().size());
  return answers == "{\"id\":\"s1\",\"result\":null,\"error\":[21,\"Job not found\",null]}\n" ? 0 : 1;
}
