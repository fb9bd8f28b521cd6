#pragma once

#include "net/mailbox.hpp"
#include "net/task.hpp"

namespace stratumproxy::net {

class shard;

/// What another thread asks of a shard, done on the shard's thread. Destroyed without being done when the shard ends
/// first, so whatever it owns (a descriptor, a promise) must end well by itself.
using shard_task = task<shard>;
using shard_mailbox = mailbox<shard_task>;

}  // namespace stratumproxy::net
