#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "server/http/access.h"
#include "server/http/credentials.h"
#include "server/http/gzip.h"
#include "server/http/http1_parser.h"
#include "server/http/media_type.h"
#include "server/http/websocket.h"

namespace millrace {
namespace {

std::string file_with(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(HttpTarget, AllForms) {
  HttpRequest request;
  EXPECT_TRUE(request.set_target("/a/b?c=d&e"));
  EXPECT_EQ(request.path, "/a/b");
  EXPECT_EQ(request.query, "c=d&e");
  EXPECT_TRUE(request.set_target("http://host:80/x?y#z"));
  EXPECT_EQ(request.path + "|" + request.query, "/x|y");
  EXPECT_TRUE(request.set_target("https://host"));
  EXPECT_EQ(request.path, "/");
  EXPECT_TRUE(request.set_target("http://host?q"));
  EXPECT_EQ(request.path + "|" + request.query, "/|q");
  EXPECT_FALSE(request.set_target("host:80"));
  EXPECT_TRUE(request.set_target("HTTPS://host:1/%69nfo/?%41"));
  EXPECT_EQ(request.path + "|" + request.query, "/info|%41");
  EXPECT_TRUE(request.set_target("/status/stream/%60S%60/cre%61te%2F%2541%4"));
  EXPECT_EQ(request.path, "/status/stream/%60S%60/create%2F%2541%4");
  EXPECT_TRUE(request.set_target("//"));
  EXPECT_EQ(request.path, "/");
}

struct Parsed {
  std::size_t used = 0;
  bool done = false, failed = false;
  int refusal = 0;
  HttpRequest request;
  std::string body;
};

/// In pieces of `step` bytes, as a connection feeds it: what is not used comes again with more behind it.
Parsed parse_http(std::string_view text, std::size_t step) {
  Parsed out;
  Http1Parser parser(64 << 10);
  std::string waiting;
  for (std::size_t at = 0; at < text.size() && !out.done && !out.failed; at += step) {
    waiting += text.substr(at, step);
    while (!waiting.empty() && !parser.is_done()) {
      boost::beast::error_code error;
      const std::size_t used = parser.feed(waiting, error);
      waiting.erase(0, used);
      out.used += used;
      if (error && error != boost::beast::http::error::need_more) {
        out.failed = true;
        return out;
      }
      if (used == 0) break;
    }
    out.done = parser.is_done();
  }
  out.refusal = parser.refusal();
  out.request = parser.request();
  out.body = parser.body();
  return out;
}

TEST(Http1Parser, TheSameInPiecesOfAnySize) {
  const std::string text =
      "POST /ksql HTTP/1.1\r\nHost: x\r\nAccept: a\r\nAccept: b\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n";
  for (std::size_t step : {1, 2, 3, 7, 1000}) {
    const Parsed parsed = parse_http(text, step);
    EXPECT_TRUE(parsed.done) << step;
    EXPECT_EQ(parsed.refusal, 0);
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.accept, "a,b");
    EXPECT_EQ(parsed.body, "hello!");
    EXPECT_EQ(parsed.used, text.size());
  }
}

TEST(Http1Parser, Refusals) {
  const auto refusal = [](const std::string& head) { return parse_http(head + "\r\n\r\n", 1000).refusal; };
  EXPECT_EQ(refusal("GET / HTTP/1.1"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: b"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.0"), 0);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a b"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: user@a"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: [::1]:80"), 0);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost:"), 0);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z"), 400);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz"), 400);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\n "), 0);
  EXPECT_EQ(refusal("GET nowhere HTTP/1.1\r\nHost: a"), 400);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip"), 501);
  EXPECT_EQ(refusal("POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 1"), 417);
  std::string many = "GET / HTTP/1.1\r\nHost: a";
  for (int i = 0; i < 300; ++i) many += "\r\nX: y";
  EXPECT_EQ(refusal(many), 431);
}

TEST(Http1Parser, FoldedFieldsInPiecesOfAnySize) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\nAccept: b\r\n\r\n";
  const std::string body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nx\n y";
  for (std::size_t step : {1, 2, 3, 7, 1000}) {
    EXPECT_EQ(parse_http(text, step).refusal, 400) << step;
    EXPECT_EQ(parse_http(body, step).refusal, 0) << step;
  }
}

TEST(Http1Parser, Smuggling) {
  for (const char* fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4", "Content-Length: +3", "Content-Length : 3"})
    EXPECT_TRUE(parse_http(std::string("POST / HTTP/1.1\r\nHost: x\r\n") + fields + "\r\n\r\nabc", 1000).failed)
        << fields;
}

TEST(MediaTypes, Negotiation) {
  const MediaType offered[] = {MediaType::delimited, MediaType::json, MediaType::v1};
  const auto agreed = [&](const char* accept) { return negotiate(std::string(accept), offered, MediaType::v1); };
  EXPECT_EQ(agreed(""), MediaType::v1);
  EXPECT_EQ(agreed("*/*"), MediaType::delimited);
  EXPECT_EQ(agreed("application/json; charset=utf-8"), MediaType::json);
  EXPECT_EQ(agreed("text/html, application/json;q=0.1"), MediaType::json);
  EXPECT_EQ(agreed("application/json;q=0"), std::nullopt);
  EXPECT_EQ(agreed("text/html"), std::nullopt);
  EXPECT_EQ(agreed("application/json, text/plain, */*"), MediaType::json);
  EXPECT_EQ(agreed("*/*, application/vnd.ksql.v1+json"), MediaType::v1);
  EXPECT_EQ(agreed("application/vnd.ksql.v1+json, application/json"), MediaType::v1);
  EXPECT_EQ(agreed("*/*, application/vnd.ksqlapi.delimited.v1;q=0"), MediaType::json);
  EXPECT_EQ(agreed("application/*;q=0.5, Application/JSON; Q=0.4; charset=x"), MediaType::delimited);
}

TEST(Passwords, OnlyTheRightOneFits) {
  const std::string hash = hash_password("secret");
  EXPECT_TRUE(matches_password("secret", hash));
  EXPECT_FALSE(matches_password("Secret", hash));
  EXPECT_FALSE(matches_password("secret", "secret"));
  EXPECT_FALSE(matches_password("secret", "$scrypt$999999999999$AA==$AA=="));
  EXPECT_NE(hash, hash_password("secret"));
}

TEST(Passwords, Files) {
  const auto made = Credentials::read(file_with("users", "# x\n\n ann : " + hash_password("a") + " , one, two\n"));
  ASSERT_TRUE(made);
  Principal user;
  EXPECT_EQ((*made)->check("Basic YW5uOmE=", "peer", user), Credentials::Outcome::known);
  EXPECT_EQ(user.roles, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ((*made)->check("Basic YW5uOmI=", "peer", user), Credentials::Outcome::unknown);
  EXPECT_NE(Credentials::read(file_with("open", "ann: a\n")).error().message.find("not hashed"), std::string::npos);
  EXPECT_FALSE(Credentials::read("/nowhere"));
}

TEST(Grants, PatternsAndPrivileges) {
  const auto access = Access::read(file_with("grants",
                                             "GRANT READ, write ON clicks, Raw_* TO app # why\nGRANT ALL TO root;\n"
                                             "grant all on tmp_*_x to app\n"));
  ASSERT_TRUE(access) << access.error().message;
  const Principal app{"a", {"app"}}, root{"r", {"root"}}, nobody{"n", {"other"}};
  EXPECT_TRUE((*access)->allows(app, Privilege::read, "CLICKS"));
  EXPECT_TRUE((*access)->allows(app, Privilege::write, "raw_1"));
  EXPECT_FALSE((*access)->allows(app, Privilege::drop, "CLICKS"));
  EXPECT_TRUE((*access)->allows(app, Privilege::drop, "TMP_1_X"));
  EXPECT_FALSE((*access)->allows(app, Privilege::drop, "TMP_1_Y"));
  EXPECT_TRUE((*access)->is_unlimited(root));
  EXPECT_FALSE((*access)->is_unlimited(app));
  EXPECT_FALSE((*access)->sees(nobody, "CLICKS"));
  for (const char* wrong : {"REVOKE ALL TO x", "GRANT EAT ON x TO y", "GRANT READ ON x", "GRANT TO x"})
    EXPECT_FALSE(Access::read(file_with("wrong", wrong))) << wrong;
}

TEST(Gzip, ThereAndBack) {
  std::string text;
  for (int i = 0; i < 10000; ++i) text += std::to_string(i);
  const std::string packed = gzip(text);
  EXPECT_LT(packed.size(), text.size());
  EXPECT_EQ(gunzip(packed, text.size()), text);
  EXPECT_EQ(gunzip(packed, text.size() / 2), std::nullopt);
  EXPECT_EQ(gunzip("no gzip", 100), std::nullopt);
  EXPECT_EQ(gunzip(packed.substr(0, packed.size() / 2), text.size()), std::nullopt);
}

TEST(WebSocket, Greeting) {
  EXPECT_NE(websocket_greeting("dGhlIHNhbXBsZSBub25jZQ==").find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
  EXPECT_EQ(websocket_greeting("short"), "");
}

}  // namespace
}  // namespace millrace
