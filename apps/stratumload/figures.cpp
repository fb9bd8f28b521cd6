#include "figures.hpp"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stratumload {
namespace {

double microseconds(nanoseconds value) { return static_cast<double>(value.count()) / 1e3; }

}  // namespace

void figures::add(std::string key, std::string label, std::uint64_t value) {
  rows_.push_back({std::move(key), std::move(label), value});
}

void figures::add(std::string key, std::string label, double value, int decimals) {
  rows_.push_back({std::move(key), std::move(label), real{std::isfinite(value) ? value : 0, decimals}});
}

void figures::add(std::string key, std::string label, std::string value) {
  rows_.push_back({std::move(key), std::move(label), std::move(value)});
}

void figures::add(std::string key, std::string label, bool value) {
  rows_.push_back({std::move(key), std::move(label), value});
}

void figures::add_latency(std::string_view key, std::string_view label, const histogram& values) {
  const auto one = [&](std::string_view name, nanoseconds value) {
    add(fmt::format("{}_{}_us", key, name), fmt::format("{}, {} [us]", label, name), microseconds(value), 1);
  };
  one("p50", values.percentile(0.5));
  one("p90", values.percentile(0.9));
  one("p99", values.percentile(0.99));
  one("max", values.max());
}

void figures::add_audit(const audit& values) {
  add("sent", "shares sent", values.sent);
  add("accepted", "  told accepted", values.accepted);
  add("rejected", "  told rejected", values.rejected);
  add("unknown", "  told unknown", values.unknown);
  add("received", "shares at the pool", values.received);
  add("lost", "lost", values.lost);
  add("doubled", "doubled", values.doubled);
  add("invented", "invented", values.invented);
  add("altered", "altered", values.altered);
  add("unanswered", "answered, but the miner never heard", values.unanswered);
  add("wrong_verdicts", "told otherwise than the pool said", values.wrong_verdicts);
  add("stray_verdicts", "verdicts for no share", values.stray_verdicts);
  add("refused_on_the_way", "rejected without asking the pool", values.refused_on_the_way);
  add("sent_is_told", "sent = accepted + rejected + unknown", values.exact());
}

std::string figures::table() const {
  std::size_t width = 0;
  for (const auto& row : rows_) width = std::max(width, row.label.size());
  std::string out;
  for (const auto& row : rows_) {
    std::string text;
    if (const auto* count = std::get_if<std::uint64_t>(&row.value)) text = fmt::format("{}", *count);
    if (const auto* number = std::get_if<real>(&row.value)) text = fmt::format("{:.{}f}", number->value, number->decimals);
    if (const auto* words = std::get_if<std::string>(&row.value)) text = *words;
    if (const auto* yes = std::get_if<bool>(&row.value)) text = *yes ? "yes" : "NO";
    out += fmt::format("{:<{}}  {:>14}\n", row.label, width, text);
  }
  return out;
}

std::string figures::json() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartObject();
  for (const auto& row : rows_) {
    writer.Key(row.key.c_str(), static_cast<rapidjson::SizeType>(row.key.size()));
    if (const auto* count = std::get_if<std::uint64_t>(&row.value)) writer.Uint64(*count);
    if (const auto* number = std::get_if<real>(&row.value)) {
      const double scale = std::pow(10.0, number->decimals);
      writer.Double(std::round(number->value * scale) / scale);
    }
    if (const auto* words = std::get_if<std::string>(&row.value))
      writer.String(words->c_str(), static_cast<rapidjson::SizeType>(words->size()));
    if (const auto* yes = std::get_if<bool>(&row.value)) writer.Bool(*yes);
  }
  writer.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace stratumload
