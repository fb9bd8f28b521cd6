#pragma once

#include <optional>

namespace stratumproxy::session {

/// A worker's or a link's id, or none, in the memory of an id: there is no id 0. A worker has four of them, and there are many workers.
template <class Id>
class optional_id {
 public:
  optional_id() = default;
  optional_id(std::nullopt_t) noexcept {}
  optional_id(Id id) noexcept : id_(id) {}
  optional_id(std::optional<Id> id) noexcept : id_(id.value_or(Id{})) {}

  explicit operator bool() const noexcept { return id_ != Id{}; }
  operator std::optional<Id>() const noexcept { return id_ == Id{} ? std::nullopt : std::optional(id_); }
  [[nodiscard]] Id operator*() const noexcept { return id_; }
  void reset() noexcept { id_ = Id{}; }
  friend bool operator==(optional_id one, Id other) noexcept { return other != Id{} && one.id_ == other; }

 private:
  Id id_{};
};

}  // namespace stratumproxy::session
