#pragma once

#include <string_view>

#include "inherited_sockets.hpp"

namespace stratumproxyd {

/// What systemd hands over by socket activation: descriptors from 3 on, in number and with names as the environment says. The n-th one
/// named "stratum" is for the n-th listener, "web" for HTTP. Nothing when the variables are not there or are for another process.
/// They are removed, so that no child takes them for its own. Throws std::runtime_error for other names.
[[nodiscard]] inherited_sockets take_activation_sockets();

/// The same from the variables' values (null: not set), for a process of this number.
[[nodiscard]] inherited_sockets activation_sockets(const char* listen_pid, const char* listen_fds, const char* listen_fdnames, int process);

/// Tells the service manager "READY=1" and the like, if it wants to know (NOTIFY_SOCKET). Whether it hears is its affair.
void tell_service_manager(std::string_view state) noexcept;

}  // namespace stratumproxyd
