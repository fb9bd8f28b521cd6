#pragma once

#include <string>

#include <pqxx/pqxx>

namespace stratumproxyd {

/// The right to a tag in PostgreSQL: an advisory lock that belongs to a connection, so that it ends with its holder. A lock for
/// each schema, because each has tables of its own.
class tag_lock {
 public:
  explicit tag_lock(std::string tag);

  /// Takes it for the rest of this connection's life, and makes the server notice within 8 s when our host is lost. Throws
  /// tag_taken, which says who has it, store_unavailable when it is a former connection of this object or nobody who can be seen, or pqxx::failure.
  void take(pqxx::connection& link) const;

 private:
  void refuse_if_held(pqxx::transaction_base& look) const;

  std::string tag_;
  std::string owner_;  // how the server's list of connections names ours
};

}  // namespace stratumproxyd
