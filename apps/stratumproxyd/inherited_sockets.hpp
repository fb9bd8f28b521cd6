#pragma once

#include <stratumproxy/proxy.hpp>
#include <stratumproxy/unique_fd.hpp>

namespace stratumproxyd {

/// Listening sockets that the daemon need not make.
struct inherited_sockets {
  stratumproxy::listening_sockets stratum;
  stratumproxy::unique_fd web;  ///< none: it is made
};

}  // namespace stratumproxyd
