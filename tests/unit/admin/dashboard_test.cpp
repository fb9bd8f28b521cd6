#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

#include "admin/embedded_files.hpp"
#include "served_api.hpp"

namespace {

using namespace stratumproxy::test;

std::string header(const std::string& answer, const std::string& name) {
  const auto head = answer.substr(0, answer.find("\r\n\r\n") + 2);
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("the page and its files are open, of the right type, and forbid what is not theirs") {
  served_api web("a-token-of-some-length");
  const auto page = web.ask(get("/"));
  CHECK(status_of(page) == 200);
  CHECK(header(page, "Content-Type") == "text/html; charset=utf-8");
  CHECK(body_of(page).starts_with("<!doctype html>"));
  CHECK(header(web.ask(get("/dashboard.js")), "Content-Type") == "text/javascript; charset=utf-8");
  CHECK(header(web.ask(get("/dashboard.css")), "Content-Type") == "text/css; charset=utf-8");
  CHECK(header(web.ask(get("/icon.svg")), "Content-Type") == "image/svg+xml");
  CHECK(body_of(web.ask(get("/chart.js"))).find("Chart.js v3") != std::string::npos);
  for (const auto& file : stratumproxyd::dashboard_files()) {
    INFO(file.name);
    const auto answer = web.ask(get(file.name == "index.html" ? "/" : std::string("/").append(file.name)));
    CHECK(status_of(answer) == 200);
    CHECK(body_of(answer) == file.content);
    CHECK(header(answer, "Content-Security-Policy") ==
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'");
    CHECK(header(answer, "X-Content-Type-Options") == "nosniff");
    CHECK(header(answer, "Referrer-Policy") == "no-referrer");
    CHECK(header(answer, "Cache-Control") == "no-cache");
  }
  CHECK(web.status(get("/index.html")) == 404);
  CHECK(web.status(get("/../etc/passwd")) == 404);
  CHECK(web.status(post("/", "{}")) == 405);
}

TEST_CASE("no page or script of the dashboard holds an inline script, an inline style or markup from strings") {
  for (const auto& file : stratumproxyd::dashboard_files()) {
    if (file.name == "chart.js") continue;
    INFO(file.name);
    const auto has = [&](std::string_view text) { return file.content.find(text) != std::string_view::npos; };
    for (const auto text : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "javascript:", "http://", "https://"}) {
      const bool is_name_of_a_format = file.name == "icon.svg" && has("http://www.w3.org/2000/svg");
      if (!is_name_of_a_format) CHECK_FALSE(has(text));
    }
    if (!file.name.ends_with(".html")) continue;
    for (const auto text : {" style=", "<style", "<script>", " onclick="}) CHECK_FALSE(has(text));
  }
}

TEST_CASE("a file that the browser has already is not sent again") {
  served_api web;
  const auto first = web.ask(get("/dashboard.css"));
  const auto tag = header(first, "ETag");
  REQUIRE(tag.size() == 18);
  for (const auto& known : {tag, std::string("W/").append(tag), std::string("\"other\", ").append(tag), std::string("*")}) {
    INFO(known);
    const auto again = web.ask(get("/dashboard.css", "If-None-Match: " + known + "\r\n"));
    CHECK(status_of(again) == 304);
    CHECK(body_of(again).empty());
    CHECK(header(again, "ETag") == tag);
  }
  CHECK(web.status(get("/dashboard.css", "If-None-Match: \"other\"\r\n")) == 200);
  CHECK(header(web.ask(get("/dashboard.js")), "ETag") != tag);
}

TEST_CASE("a link on another site leads to the page, and to nothing else") {
  served_api web;
  CHECK(web.status(get("/", "Sec-Fetch-Site: cross-site\r\n")) == 200);
  CHECK(web.status(get("/api/v1/pools", "Sec-Fetch-Site: cross-site\r\n")) == 403);
  CHECK(web.status(get("/dashboard.js", "Sec-Fetch-Site: cross-site\r\n")) == 403);
  CHECK(web.status("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n") == 403);
}

TEST_CASE("whoever registers learns where miners connect to") {
  served_api web("a-token-of-some-length");
  const auto json = json_of(web.ask(get("/dashboard.json")));
  CHECK(std::string(json["stratum"].GetString()) == "0.0.0.0:9332");
  CHECK(json["version"].GetStringLength() > 0);
}
