#pragma once

#include <cstdint>

namespace stratumproxyd {

/// Who may register accounts: anybody, who has a token whose role allows it, nobody.
enum class registration_policy : std::uint8_t { open, token, off };

/// How much an address may do: so many at once, so many a minute from then on.
struct rate {
  unsigned per_minute = 60;
  unsigned burst = 200;
};

/// What the configuration says of who may ask; may change while requests are served.
struct access_policy {
  registration_policy registration = registration_policy::open;
  rate registrations;  ///< of accounts without a token, from one address
  rate failed_logins;  ///< requests with a wrong token, from one address
};

}  // namespace stratumproxyd
