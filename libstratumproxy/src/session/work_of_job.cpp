#include "session/work_of_job.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace stratumproxy::session {

// The places of protocol::job::text: ,"<prevhash>","<coinb1>|","<coinb2>",["<branch>","<branch>"],…
std::shared_ptr<const algorithm::work> work_of(const protocol::job& job) {
  constexpr std::size_t hash_digits = 64, prevhash_at = 2, coinb1_at = prevhash_at + hash_digits + 3;
  const std::string_view text = job.text;
  if (job.splice_at < coinb1_at) return nullptr;
  const std::size_t coinb2_at = job.splice_at + 3;
  const auto coinb2_end = text.find('"', coinb2_at);
  if (coinb2_end == std::string_view::npos) return nullptr;
  std::vector<std::string_view> branches;
  auto at = coinb2_end + 3;  // behind ",[
  for (; at < text.size() && text[at] == '"'; at += hash_digits + 3) branches.push_back(text.substr(at + 1, hash_digits));
  auto decoded = algorithm::decode_work({.prevhash = text.substr(prevhash_at, hash_digits),
                                         .coinb1 = text.substr(coinb1_at, job.splice_at - coinb1_at),
                                         .coinb2 = text.substr(coinb2_at, coinb2_end - coinb2_at),
                                         .branches = branches,
                                         .version = job.version,
                                         .nbits = job.nbits});
  if (!decoded) return nullptr;
  return std::make_shared<const algorithm::work>(std::move(*decoded));
}

}  // namespace stratumproxy::session
