#!/usr/bin/env python3
"""What include_rules.py must object to, and what it must leave alone."""

import unittest

from include_rules import check


def problems(path, *lines):
    return list(check(path, "\n".join(lines) + "\n"))


class Layers(unittest.TestCase):
    def test_siblings_never_include_each_other(self):
        for own, other in (("protocol", "metrics"), ("metrics", "algorithm"), ("algorithm", "protocol")):
            self.assertTrue(problems(f"libstratumproxy/src/{own}/a.cpp", f'#include "{other}/b.hpp"'))
        self.assertTrue(problems("libstratumproxy/src/protocol/a.cpp", '#include "stratumproxy/metrics.hpp"'))
        self.assertTrue(problems("libstratumproxy/include/stratumproxy/metrics.hpp",
                                 '#include "stratumproxy/protocol/codec.hpp"'))

    def test_nothing_includes_upwards(self):
        self.assertTrue(problems("libstratumproxy/src/base/a.cpp", '#include "protocol/b.hpp"'))
        self.assertTrue(problems("libstratumproxy/src/session/a.cpp", '#include "net/shard.hpp"'))
        self.assertTrue(problems("libstratumproxy/src/net/a.cpp", '#include "stratumproxy/proxy.hpp"'))

    def test_downwards_is_fine(self):
        self.assertFalse(problems("libstratumproxy/src/session/a.cpp", '#include "metrics/hashrate_window.hpp"',
                                  '#include "stratumproxy/protocol/codec.hpp"', '#include "session/login.hpp"'))
        self.assertFalse(problems("libstratumproxy/src/facade/a.cpp", '#include "net/shard.hpp"'))
        self.assertFalse(problems("libstratumproxy/src/metrics/a.cpp", '#include "stratumproxy/clock.hpp"'))

    def test_a_new_folder_must_be_a_known_layer(self):
        self.assertTrue(problems("libstratumproxy/src/utils/a.cpp", ""))

    def test_public_headers_and_apps_see_no_private_header(self):
        self.assertTrue(problems("libstratumproxy/include/stratumproxy/proxy.hpp", '#include "net/shard.hpp"'))
        self.assertTrue(problems("apps/stratumproxyd/main.cpp", '#include "session/login.hpp"'))
        self.assertFalse(problems("apps/stratumproxyd/main.cpp", '#include "stratumproxy/proxy.hpp"',
                                  '#include "store/store.hpp"'))


class Libraries(unittest.TestCase):
    def test_each_stays_in_its_place(self):
        for path, line in (("libstratumproxy/src/session/a.cpp", "#include <rapidjson/document.h>"),
                           ("libstratumproxy/src/session/a.cpp", "#include <asio/ip/tcp.hpp>"),
                           ("libstratumproxy/include/stratumproxy/proxy.hpp", "#include <asio.hpp>"),
                           ("apps/stratumproxyd/admin/a.cpp", "#include <pqxx/pqxx>"),
                           ("apps/stratumproxyd/main.cpp", "#include <sqlite3.h>"),
                           ("libstratumproxy/src/facade/a.cpp", "#include <spdlog/spdlog.h>")):
            self.assertTrue(problems(path, line), path)

    def test_their_own_place_may_use_them(self):
        for path, line in (("libstratumproxy/src/protocol/codec.cpp", "#include <rapidjson/reader.h>"),
                           ("libstratumproxy/src/net/shard.cpp", "#include <asio/ip/tcp.hpp>"),
                           ("libstratumproxy/include/stratumproxy/asio.hpp", "#include <asio/io_context.hpp>"),
                           ("apps/stratumproxyd/store/a.cpp", "#include <pqxx/pqxx>")):
            self.assertFalse(problems(path, line), path)


class Effects(unittest.TestCase):
    def test_the_core_has_no_socket_clock_thread_or_random_source(self):
        core = "libstratumproxy/src/session/a.cpp"
        for line in ("auto now = steady_clock::now();", "std::random_device device;", "#include <thread>",
                     "#include <sys/socket.h>", "int fd = ::socket(AF_INET, SOCK_STREAM, 0);"):
            self.assertTrue(problems(core, line), line)
            self.assertFalse(problems("libstratumproxy/src/net/a.cpp", line), line)

    def test_words_in_comments_and_texts_do_not_count(self):
        self.assertFalse(problems("libstratumproxy/src/session/a.cpp", "// never steady_clock::now() here",
                                  '/* no random_device', ' random_device */ const char* text = "clock::now()";'))

    def test_tests_do_not_sleep(self):
        for line in ("std::this_thread::sleep_for(1s);", "usleep(10);", "::sleep(1);", "sleep(1);"):
            self.assertTrue(problems("tests/unit/net/a_test.cpp", line), line)
        self.assertFalse(problems("tests/unit/net/a_test.cpp", "clock.advance(1s);  // no sleep_for needed"))


if __name__ == "__main__":
    unittest.main()
