#pragma once

#include <memory>

#include "stratumproxy/algorithm/share_check.hpp"
#include "stratumproxy/protocol/messages.hpp"

namespace stratumproxy::session {

/// The job as the algorithm layer checks shares against it; null when it cannot be read as one (then the pool judges).
[[nodiscard]] std::shared_ptr<const algorithm::work> work_of(const protocol::job& job);

}  // namespace stratumproxy::session
