namespace stratumproxy {

// Declared for users in proxy.hpp; that header belongs to the facade, on top of this layer, and so is not included here.
const char* version() noexcept;

const char* version() noexcept { return SPX_VERSION; }

}  // namespace stratumproxy
