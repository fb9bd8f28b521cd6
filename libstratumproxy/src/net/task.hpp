#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace stratumproxy::net {

/// A move-only callable, void(Argument&): std::function would ask descriptors and promises to be copyable.
template <class Argument>
class task {
 public:
  template <class Callable, class = std::enable_if_t<!std::is_same_v<std::decay_t<Callable>, task>>>
  task(Callable&& callable)  // NOLINT: implicit by design
      : held_(std::make_unique<holder<std::decay_t<Callable>>>(std::forward<Callable>(callable))) {}

  void operator()(Argument& argument) { held_->call(argument); }

 private:
  struct base {
    virtual ~base() = default;
    virtual void call(Argument& argument) = 0;
  };
  template <class Callable>
  struct holder final : base {
    template <class Given>
    explicit holder(Given&& given) : callable(std::forward<Given>(given)) {}
    void call(Argument& argument) override { callable(argument); }
    Callable callable;
  };

  std::unique_ptr<base> held_;
};

}  // namespace stratumproxy::net
