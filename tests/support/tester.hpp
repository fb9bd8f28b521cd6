#pragma once

#include "store/access_tables.hpp"

namespace stratumproxy::test {

/// Who makes the changes of a test.
inline const stratumproxyd::author tester{"tester", "192.0.2.1"};

}  // namespace stratumproxy::test
