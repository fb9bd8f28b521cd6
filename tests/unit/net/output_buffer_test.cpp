#include "net/output_buffer.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using stratumproxy::net::buffer_pool;
using stratumproxy::net::output_buffer;

TEST_CASE("an output buffer gives its bytes in order, however they are consumed") {
  output_buffer buffer;
  std::string expected;
  std::string seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    buffer.append(line);
    expected += line;
    const auto part = buffer.unsent().substr(0, 1 + static_cast<std::size_t>(i) % 13);
    seen += part;
    buffer.consume(part.size());
  }
  seen += buffer.unsent();
  buffer.consume(buffer.unsent().size());
  CHECK(seen == expected);
  CHECK(buffer.unsent().empty());
}

TEST_CASE("an output buffer that never quite drains does not keep what was sent") {
  output_buffer buffer;
  const std::string block(1'000, 'x');
  buffer.append(block);
  for (int i = 0; i < 1'000; ++i) {
    buffer.append(block);
    buffer.consume(block.size());
  }
  CHECK(buffer.unsent().size() == block.size());
  CHECK(buffer.capacity() < 10 * block.size());
}

TEST_CASE("a returned buffer is lent again, empty and with its storage") {
  buffer_pool pool;
  auto buffer = pool.borrow();
  buffer->append("left over");
  const auto* const same = buffer.get();
  pool.give_back(std::move(buffer));
  REQUIRE(pool.size() == 1);
  buffer = pool.borrow();
  CHECK(buffer.get() == same);
  CHECK(buffer->unsent().empty());
  CHECK(buffer->capacity() > 0);
  CHECK(pool.size() == 0);
}

TEST_CASE("the pool keeps neither large buffers nor any number of them") {
  buffer_pool pool;
  auto large = pool.borrow();
  large->append(std::string(buffer_pool::kept_capacity + 1, 'x'));
  pool.give_back(std::move(large));
  CHECK(pool.size() == 0);
  std::vector<std::unique_ptr<output_buffer>> lent;
  for (std::size_t i = 0; i < 2 * buffer_pool::kept_buffers; ++i) lent.push_back(pool.borrow());
  for (auto& buffer : lent) pool.give_back(std::move(buffer));
  CHECK(pool.size() == buffer_pool::kept_buffers);
  pool.give_back(nullptr);
  CHECK(pool.size() == buffer_pool::kept_buffers);
}
