#include "server/http/peers.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio.hpp>
#include <future>

#include "server/http/peer_wire.h"

namespace millrace::inline server {
namespace {

TableKey some_key() {
  TableKey key{
      .query = "CTAS_T_1", .plan = 0xfedcba9876543210U, .partition = 7, .key = std::string("a\0b", 3), .windows = {}};
  key.windows.start_min = -5;
  key.windows.end_max = 1'700'000'000'000;
  key.max_lag = 0;
  return key;
}

TEST(PeerWire, KeysComeAsTheyWent) {
  const auto back = decode_keys(encode_keys({some_key(), TableKey{}}));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2U);
  const TableKey& key = back->front();
  EXPECT_EQ(key.query, "CTAS_T_1");
  EXPECT_EQ(key.plan, 0xfedcba9876543210U);
  EXPECT_EQ(key.partition, 7);
  EXPECT_EQ(key.key, std::string("a\0b", 3));
  EXPECT_EQ(key.windows.start_min, -5);
  EXPECT_FALSE(key.windows.start_max);
  EXPECT_FALSE(key.windows.end_min);
  EXPECT_EQ(key.windows.end_max, 1'700'000'000'000);
  EXPECT_EQ(key.max_lag, 0);
  EXPECT_FALSE((*back)[1].max_lag);
}

TEST(PeerWire, AnswersTellEntriesFromErrors) {
  KeyAnswers answers;
  answers.emplace_back(TableEntries{{"k", "v"}, {"", ""}});
  answers.emplace_back(TableEntries());
  answers.emplace_back(unavailable_error("not here"));
  const auto back = decode_answers(encode_answers(answers));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 3U);
  EXPECT_EQ(*(*back)[0], (TableEntries{{"k", "v"}, {"", ""}}));
  EXPECT_TRUE((*back)[1]->empty());
  EXPECT_EQ((*back)[2].error().fault, Fault::unavailable);
  EXPECT_EQ((*back)[2].error().message, "not here");
}

TEST(PeerWire, RangesComeAsTheyWent) {
  const auto back = decode_range(encode_range({"Q", 3, {0, 5}, "from", ""}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->query, "Q");
  EXPECT_EQ(back->partitions, (std::vector<int>{0, 5}));
  EXPECT_EQ(back->from, "from");
  EXPECT_EQ(back->to, "");
  EXPECT_FALSE(back->max_lag);
}

TEST(PeerWire, LoansComeAsTheyWent) {
  const auto question = decode_loan_question(encode_loan_question({{SlotId{1}, SlotId{2}}, {SlotId{3}}, {SlotId{63}}}));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->take, (std::vector{SlotId{1}, SlotId{2}}));
  EXPECT_EQ(question->give_back, std::vector{SlotId{3}});
  EXPECT_EQ(question->lags, std::vector{SlotId{63}});
  const std::string bytes = encode_loan_answer({.epoch = 0xfedcba9876543210U, .held = {SlotId{5}}, .lags = {-1, 7}});
  const auto answer = decode_loan_answer(bytes);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->epoch, 0xfedcba9876543210U);
  EXPECT_EQ(answer->held, std::vector{SlotId{5}});
  EXPECT_EQ(answer->lags, (std::vector<std::int64_t>{-1, 7}));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_loan_answer(bytes.substr(0, size)));
}

TEST(PeerWire, PagesAreTakenOffAStreamAsTheyCome) {
  const std::string whole = encode_page(TablePages::Page{.entries = {{"k", "v"}}, .last = false}) +
                            encode_page(TablePages::Page{.entries = {}, .last = true}) +
                            encode_page(external_error("broken"));
  std::string come;
  std::size_t at = 0;
  std::vector<Result<TablePages::Page>> pages;
  for (const char byte : whole) {
    come += byte;
    bool broken = false;
    if (auto page = take_page(come, at, broken)) pages.push_back(std::move(*page));
    ASSERT_FALSE(broken);
  }
  ASSERT_EQ(pages.size(), 3U);
  EXPECT_EQ(pages[0]->entries, (TableEntries{{"k", "v"}}));
  EXPECT_FALSE(pages[0]->last);
  EXPECT_TRUE(pages[1]->last);
  EXPECT_EQ(pages[2].error().fault, Fault::external);
}

TEST(PeerWire, WhatIsCutOffOrOfAnotherFormIsNothing) {
  const std::string keys = encode_keys({some_key()}), range = encode_range({"Q", 3, {0}, "a", "b"});
  KeyAnswers some;
  some.emplace_back(TableEntries{{"k", "v"}});
  const std::string answers = encode_answers(some);
  for (std::size_t size = 0; size < keys.size(); ++size) EXPECT_FALSE(decode_keys(keys.substr(0, size))) << size;
  for (std::size_t size = 0; size < range.size(); ++size) EXPECT_FALSE(decode_range(range.substr(0, size))) << size;
  for (std::size_t size = 0; size < answers.size(); ++size)
    EXPECT_FALSE(decode_answers(answers.substr(0, size))) << size;
  EXPECT_FALSE(decode_keys(keys + "x"));
  EXPECT_FALSE(decode_keys("\x01" + keys.substr(1)));
  // A count that no message of this size can hold is not believed.
  EXPECT_FALSE(decode_keys(std::string("\x02\xff\xff\xff\xff", 5)));
}

TEST(Peers, AddressesMayHaveAScheme) {
  const auto parts = [](std::string_view text) {
    const PeerAddress address = parse_peer_address(text);
    return address.host + "|" + address.port + "|" + (address.tls ? "tls" : "");
  };
  EXPECT_EQ(parts("host:8088"), "host|8088|");
  EXPECT_EQ(parts("http://host:1/"), "host|1|");
  EXPECT_EQ(parts("https://host:1"), "host|1|tls");
  EXPECT_EQ(parts("[::1]:7"), "::1|7|");
  EXPECT_EQ(parts("host"), "host|8088|");
}

TEST(Peers, AProcessThatIsNotThereIsUnavailable) {
  auto peers = Peers::make({});
  ASSERT_TRUE(peers);
  std::promise<Result<TableEntries>> found;
  (*peers)->look_up("127.0.0.1:1", some_key(),
                    [&](Result<TableEntries> answer) { found.set_value(std::move(answer)); });
  EXPECT_EQ(found.get_future().get().error().fault, Fault::unavailable);
  EXPECT_EQ((*peers)->scan("127.0.0.1:1", {"Q", 3, {0}, "", ""})->next().error().fault, Fault::unavailable);
  (*peers)->stop();
  std::promise<Result<TableEntries>> late;
  (*peers)->look_up("127.0.0.1:1", some_key(), [&](Result<TableEntries> answer) { late.set_value(std::move(answer)); });
  EXPECT_EQ(late.get_future().get().error().fault, Fault::unavailable);
}

/// Answers one request with nothing, and then waits for the end of the connection.
class OneAnswer {
 public:
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  /// What ended the connection.
  std::future<boost::system::error_code> serve() {
    return std::async(std::launch::async, [this] {
      boost::asio::ip::tcp::socket line = acceptor_.accept();
      std::string request;
      boost::asio::read_until(line, boost::asio::dynamic_buffer(request), "\r\n\r\n");
      boost::asio::write(line, boost::asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")));
      std::array<char, 64> rest;
      boost::system::error_code end;
      while (!end) line.read_some(boost::asio::buffer(rest), end);
      return end;
    });
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
};

TEST(Peers, AProcessThatIsNoLongerAskedIsForgottenWithItsLines) {
  OneAnswer other;
  auto peers = Peers::make({.secret = {}, .tls = {}, .forget_after = std::chrono::milliseconds{100}});
  ASSERT_TRUE(peers);
  auto ended = other.serve();
  const auto reports = (*peers)->reports({other.address()});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_TRUE(reports.front()) << reports.front().error().message;
  // Not because of stop(): that comes later.
  ASSERT_EQ(ended.wait_for(std::chrono::seconds{20}), std::future_status::ready);
  EXPECT_EQ(ended.get(), boost::asio::error::eof);
  (*peers)->stop();
}

}  // namespace
}  // namespace millrace::inline server
