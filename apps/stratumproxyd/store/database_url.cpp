#include "database_url.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace stratumproxyd {
namespace {

struct span_of_text {
  std::size_t begin = 0, end = 0;
};

// Where the passwords stand in the URL. The last '@' of the authority ends the credentials, so that a password with an
// unescaped '@' is covered whole.
std::vector<span_of_text> find_passwords(std::string_view url) {
  std::vector<span_of_text> found;
  const auto scheme = url.find("://");
  const auto authority = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto at = url.rfind('@');
  const auto query = url.find('?', authority);
  // A '?' or '/' inside of an unescaped password would end the authority early; an '@' after it tells so.
  if (at != std::string_view::npos && at > authority &&
      !(query != std::string_view::npos && at > query && url.substr(query, at - query).find('=') != std::string_view::npos)) {
    const auto colon = url.find(':', authority);
    if (colon != std::string_view::npos && colon < at) found.push_back({colon + 1, at});
  }
  for (std::string_view key : {"password=", "sslpassword="}) {
    for (auto start = url.find(key, authority); start != std::string_view::npos; start = url.find(key, start + 1)) {
      if (start == 0 || (url[start - 1] != '?' && url[start - 1] != '&' && url[start - 1] != ' ')) continue;
      const auto begin = start + key.size();
      found.push_back({begin, std::min(url.find('&', begin), url.size())});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return found;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string without_password(std::string_view url) {
  std::string out;
  std::size_t copied = 0;
  for (const auto& secret : find_passwords(url)) {
    if (secret.begin < copied) continue;
    out.append(url.substr(copied, secret.begin - copied)).append("***");
    copied = secret.end;
  }
  return out.append(url.substr(copied));
}

std::string without_password(std::string_view text, std::string_view url) {
  for (const auto& secret : find_passwords(url)) {
    const auto written = url.substr(secret.begin, secret.end - secret.begin);
    if (written.empty()) continue;
    if (text.find(written) != std::string_view::npos || text.find(percent_decoded(written)) != std::string_view::npos)
      return "the database's URL or login is not usable";
    // The library takes the rest of such a password for the host or the port, and names it.
    if (written.find_first_of("@/") != std::string_view::npos)
      return "the database's URL is not usable as it is: @ and / of a password are written %40 and %2F";
  }
  std::string line;
  for (const char c : text) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string with_default_parameter(std::string url, std::string_view key, std::string_view value) {
  const auto query = url.find('?');
  const std::string assignment = std::string(key) + '=';
  if (query != std::string::npos &&
      (url.compare(query + 1, assignment.size(), assignment) == 0 || url.find('&' + assignment, query) != std::string::npos))
    return url;
  url += query == std::string::npos ? '?' : '&';
  return url.append(assignment).append(value);
}

}  // namespace stratumproxyd
