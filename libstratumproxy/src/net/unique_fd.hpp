#pragma once

#include "stratumproxy/unique_fd.hpp"

namespace stratumproxy::net {

using stratumproxy::unique_fd;

}  // namespace stratumproxy::net
