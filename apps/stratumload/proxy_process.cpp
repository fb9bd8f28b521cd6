#include "proxy_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "stratumproxy/protocol/codec.hpp"

namespace stratumload {
namespace {

constexpr milliseconds start_limit{20'000}, stop_limit{15'000};
constexpr std::size_t longest_line = 4'096;

// Nothing when it takes longer, or the other end is gone before.
std::string read_line(int fd, milliseconds limit) {
  std::string out;
  const auto end = now() + limit;
  while (out.size() < longest_line && !out.ends_with('\n')) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - now());
    pollfd wait{.fd = fd, .events = POLLIN};
    if (left <= milliseconds{0} || ::poll(&wait, 1, static_cast<int>(left.count())) == 0) return {};
    char byte = 0;
    const auto got = ::read(fd, &byte, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return {};
    out += byte;
  }
  return out;
}

std::string word_after(const std::string& line, std::string_view key) {
  std::istringstream words(line);
  for (std::string word; words >> word;)
    if (word.starts_with(key)) return word.substr(key.size());
  return {};
}

std::string object(const std::vector<std::pair<const char*, std::string>>& members, bool fixed_difficulty = false) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartObject();
  for (const auto& [key, value] : members) {
    writer.Key(key);
    writer.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
  }
  if (fixed_difficulty) {
    writer.Key("fixed_difficulty");
    writer.Bool(true);
  }
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

process_usage usage_of(pid_t process) {
  process_usage out;
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  if (!std::getline(file, line)) return out;
  // The second field is the program's name in parentheses and may hold anything.
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  if (fields.size() < 22) return out;
  out.cpu_seconds = (std::stod(fields[11]) + std::stod(fields[12])) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  out.resident_kib = std::stod(fields[21]) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
  return out;
}

proxy_process::proxy_process(const std::string& program, unsigned threads, const std::string& certificate, const std::string& key) {
  auto place = (std::filesystem::temp_directory_path() / "stratumload-XXXXXX").string();
  if (!::mkdtemp(place.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
  directory_ = place;
  const auto config = directory_ + "/stratumproxyd.toml";
  // The limits that guard against crowds are in the way here: the crowd comes from one address to one pool, and where workers share
  // links more of them fit than the proxy would let in by itself.
  std::ofstream settings(config);
  settings << "[stratum]\naddr = \"127.0.0.1:0\"\nthreads = " << threads
                        << "\n[web]\naddr = \"127.0.0.1:0\"\n[db]\nurl = \"sqlite:" << directory_ << "/accounts.db\"\n"
                        << "[log]\nlevel = \"warning\"\n[upstream]\nconnects_per_second = 100000\n"
                        << "[limits]\nunauthorized_per_address = 100000\nconnections = 100000\n";
  if (!certificate.empty()) {
    settings << "[tls]\ncertificate = " << std::filesystem::absolute(certificate) << "\nkey = " << std::filesystem::absolute(key)
             << "\n";
  }
  settings.close();
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::setpgid(0, 0);  // Ctrl-C is for this tool, which then ends the proxy in order
    ::dup2(out[1], STDOUT_FILENO);
    ::execlp(program.c_str(), program.c_str(), "--config", config.c_str(), static_cast<char*>(nullptr));
    fmt::print(stderr, "stratumload: cannot start '{}': {}\n", program, std::generic_category().message(errno));
    ::_exit(127);
  }
  ::close(out[1]);
  const auto line = read_line(out[0], start_limit);
  ::close(out[0]);
  stratum_ = word_after(line, "stratum=");
  web_ = word_after(line, "web=");
  if (stratum_.empty() || web_.empty()) {
    stop();
    throw std::runtime_error(fmt::format("'{}' did not become ready", program));
  }
}

proxy_process::~proxy_process() { stop(); }

void proxy_process::stop() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    const auto end = now() + stop_limit;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (now() >= end) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        break;
      }
      ::poll(nullptr, 0, 20);
    }
    pid_ = -1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string proxy_process::post(const std::string& path, const std::string& body) const {
  httplib::Client client("http://" + web_);
  const auto answer = client.Post(path, body, "application/json");
  if (!answer) throw std::runtime_error(fmt::format("the proxy does not answer {}: {}", path, httplib::to_string(answer.error())));
  if (answer->status / 100 != 2)
    throw std::runtime_error(fmt::format("the proxy refuses {}: {}", path, stratumproxy::protocol::printable(answer->body, 200)));
  return answer->body;
}

std::string proxy_process::register_account(const std::string& pool, const account& wanted) const {
  // Where shares are not checked, workers can share a link only under a difficulty that does not follow their sum.
  const bool fixed_difficulty = wanted.mode == "shared" && wanted.verify != "full";
  std::vector<std::pair<const char*, std::string>> row{{"pool", pool}, {"algorithm", wanted.algorithm}};
  if (!wanted.mode.empty()) row.emplace_back("mode", wanted.mode);
  if (!wanted.verify.empty()) row.emplace_back("verify", wanted.verify);
  if (!wanted.tls.empty()) row.emplace_back("tls", wanted.tls);
  post("/api/v1/pools", object(row, fixed_difficulty));
  const auto answer = post("/api/v1/users", object({{"pool", pool}, {"user", wanted.user}, {"password", wanted.password}}));
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(answer.data(), answer.size());
  if (document.HasParseError() || !document.IsObject() || !document.HasMember("name") || !document["name"].IsString() ||
      document["name"].GetStringLength() == 0)
    throw std::runtime_error("the proxy registers no account: " + answer.substr(0, 200));
  return document["name"].GetString();
}

}  // namespace stratumload
