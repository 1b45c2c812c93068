#include "server/http/gzip.h"

#include <zlib.h>

#include <cstdlib>

#include "parser/error/letter_case.h"
#include "parser/error/trim.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

constexpr std::size_t kLeastBytes = 1024;
constexpr int kGzipWindow = 15 + 16;

class GzipResponder final : public Responder {
 public:
  explicit GzipResponder(std::shared_ptr<Responder> inner) : inner_(std::move(inner)) {}

  void add_header(std::string name, std::string value) override {
    inner_->add_header(std::move(name), std::move(value));
  }
  void respond(int status, std::string_view content_type, std::string_view body, const Headers& headers) override {
    Headers all = headers;
    all.emplace_back("Vary", "Accept-Encoding");
    if (body.size() < kLeastBytes) return inner_->respond(status, content_type, body, all);
    all.emplace_back("Content-Encoding", "gzip");
    inner_->respond(status, content_type, gzip(body), all);
  }
  void start(std::string_view content_type) override { inner_->start(content_type); }
  bool write(std::string chunk) override { return inner_->write(std::move(chunk)); }
  void finish() override { inner_->finish(); }
  void break_off() override { inner_->break_off(); }
  void abort() override { inner_->abort(); }
  void watch(std::function<void()> drained, std::function<void()> closed) override {
    inner_->watch(std::move(drained), std::move(closed));
  }
  void post(std::function<void()> work) override { inner_->post(std::move(work)); }
  void consumed(std::size_t bytes) override { inner_->consumed(bytes); }

 private:
  const std::shared_ptr<Responder> inner_;
};

}  // namespace

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::optional<std::string> gunzip(std::string_view bytes, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  char piece[16384];
  int state = Z_OK;
  while (state == Z_OK && out.size() <= limit) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END || out.size() > limit) return std::nullopt;
  return out;
}

bool takes_gzip(const HttpRequest& request) {
  const auto header = request.header("accept-encoding");
  if (!header) return false;
  std::string_view rest = *header;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string entry = lower_case(trim(rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (!entry.starts_with("gzip")) continue;
    const std::size_t weight = entry.find("q=");
    return weight == std::string::npos || std::strtod(entry.c_str() + weight + 2, nullptr) > 0;
  }
  return false;
}

std::shared_ptr<Responder> gzip_responder(std::shared_ptr<Responder> inner) {
  return std::make_shared<GzipResponder>(std::move(inner));
}

}  // namespace millrace::inline server
