#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <stratumproxy/log.hpp>
#include <stratumproxy/options.hpp>

#include "admin/access_policy.hpp"

namespace stratumproxyd {

/// What is wrong with the options or the file, in one line that names the key, the file and the line.
struct config_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The file that the configuration was read from.
struct file_config {
  std::filesystem::path path;  ///< empty: none
  bool watch = true;           ///< it is read again when it changes
};

enum class log_format : std::uint8_t { text, json };

/// A certificate with its chain, and its key, as PEM files; both empty: no TLS.
struct tls_files {
  std::filesystem::path certificate, key;
};

struct web_config {
  std::string address = "127.0.0.1:8080";  ///< port 0 picks a free one
  tls_files tls;                           ///< for HTTPS
  std::string token;                       ///< the administrator's; empty: none, or that of the file
  std::filesystem::path token_file;        ///< empty: none
  bool allow_open = false;                 ///< any address may be bound without a token
  std::vector<std::string> hosts;          ///< names besides localhost that a request may call a loopback server
  access_policy access;
  unsigned audit_days = 90;                ///< entries of the audit log are kept so long; 0: for ever
};

struct log_config {
  stratumproxy::log_level level = stratumproxy::log_level::info;
  log_format format = log_format::text;
};

struct database_config {
  std::string url = "sqlite:stratumproxy.db";
  std::filesystem::path migrations;  ///< empty: the installed ones, else those of the source tree
};

/// What the label `worker` of the metrics is.
enum class worker_label : std::uint8_t { address, rig };

struct metrics_config {
  std::string tag;  ///< value of the label `proxy`; empty: the bound stratum address
  std::chrono::milliseconds flush{2'000};
  worker_label label = worker_label::address;
  std::size_t max_workers = 10'000;  ///< with series of their own
  std::uint32_t history_days = 31;
};

struct accounts_config {
  std::uint32_t delete_after_days = 0;  ///< without being seen; 0: never
  std::chrono::milliseconds delete_check{3'600'000};  ///< how often it is looked for those
};

struct record_config {
  std::filesystem::path file;      ///< empty: nothing is recorded
  std::uint32_t megabytes = 1024;  ///< of the file
};

/// Whether sessions are left in the database, for other proxies; automatic: where it is PostgreSQL.
enum class session_records : std::uint8_t { automatic, on, off };

/// How a daemon takes another one's place.
struct handover_config {
  std::filesystem::path socket;  ///< where a successor asks; empty: none can
  std::chrono::milliseconds drain{300'000};  ///< the workers may stay so long when a successor serves
  bool take_over = false;        ///< of the one that runs
};

struct ban_config {
  std::chrono::milliseconds automatic{0};  ///< how long offenders are banned; 0: they are not
};

struct config {
  file_config file;
  stratumproxy::options proxy;
  tls_files tls;  ///< towards miners
  web_config web;
  log_config log;
  database_config db;
  metrics_config metrics;
  accounts_config accounts;
  session_records records = session_records::automatic;
  record_config record;
  ban_config bans;
  handover_config handover;
};

/// At most 200 characters of a text of others, which may hold any bytes, for a message: that is one line.
[[nodiscard]] std::string printable(std::string_view text);

/// Applies a TOML text to `settings`; `name` is for messages. Throws config_error.
void apply_toml(config& settings, std::string_view text, const std::string& name);

/// Reads a regular file of at most `limit` bytes; a FIFO or a device would block the start. Throws config_error, which
/// calls the file `what`.
[[nodiscard]] std::string read_regular_file(const std::filesystem::path& path, std::size_t limit, std::string_view what);

/// The directory that holds sqlite/ and postgresql/: the configured one, that of the installation, or of the source tree.
[[nodiscard]] std::filesystem::path migrations_directory(const database_config& settings);

}  // namespace stratumproxyd
