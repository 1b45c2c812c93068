#include "server/http/peer_answers.h"

#include <openssl/crypto.h>

#include <atomic>

#include "parser/error/mutex.h"
#include "server/http/peer_wire.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

void refuse_peer(Responder& responder, std::string why) {
  const ServiceError error = service_error(kBadRequest, std::move(why));
  responder.respond(400, "application/json", boost::json::serialize(error.to_json()));
}

/// The answers to the keys of one request, until all are there.
struct GatheredAnswers {
  GatheredAnswers(std::shared_ptr<Responder> to, std::size_t count)
      : responder(std::move(to)), answers(count, TableEntries()), left(count + 1) {}

  /// True: that was the last.
  bool counted() { return left.fetch_sub(1) == 1; }
  void send() { responder->respond(200, kPeerType, encode_answers(answers)); }

  const std::shared_ptr<Responder> responder;
  KeyAnswers answers;
  std::atomic<std::size_t> left;
};

void answer_look_ups(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Engine& engine) {
  auto keys = decode_keys(request.body);
  if (!keys) return refuse_peer(*responder, "the look-ups are of another form");
  const auto gathered = std::make_shared<GatheredAnswers>(responder, keys->size());
  for (std::size_t i = 0; i < keys->size(); ++i)
    engine.look_up_here(std::move((*keys)[i]), [gathered, i](Result<TableEntries> found) {
      gathered->answers[i] = std::move(found);
      if (gathered->counted()) gathered->responder->post([gathered] { gathered->send(); });
    });
  if (gathered->counted()) gathered->send();
}

/// The pages of a scan on their way to the asker. One thread runs it at a time, or none: while the asker is full.
class ScanAnswer final : public std::enable_shared_from_this<ScanAnswer> {
 public:
  ScanAnswer(std::shared_ptr<Responder> responder, std::unique_ptr<TablePages> pages, std::size_t partitions,
             std::function<void(std::function<void()>)> post)
      : responder_(std::move(responder)), post_(std::move(post)), pages_(std::move(pages)), left_(partitions) {}

  void start() {
    responder_->watch(
        [weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->drained();
        },
        [self = shared_from_this()] { self->closed(); });  // the connection keeps it until then
    responder_->start(kPeerType);
    run();
  }

 private:
  void run() {
    while (left_ > 0) {
      std::uint64_t drains = 0;
      {
        const MutexLock lock(mutex_);
        if (closed_) return pages_.reset();
        drains = drains_;
      }
      const auto page = contained([&] { return pages_->next(); });
      const bool room = responder_->write(encode_page(page));
      left_ = page ? left_ - (page->last ? 1 : 0) : 0;
      if (room || left_ == 0) continue;
      const MutexLock lock(mutex_);
      if (drains_ != drains) continue;
      if (closed_) return pages_.reset();
      paused_ = true;
      return;
    }
    pages_.reset();
    responder_->finish();
  }

  void drained() {
    const MutexLock lock(mutex_);
    ++drains_;
    if (std::exchange(paused_, false)) post_([self = shared_from_this()] { self->run(); });
  }

  void closed() {
    const MutexLock lock(mutex_);
    closed_ = true;
    if (std::exchange(paused_, false)) post_([self = shared_from_this()] { self->run(); });
  }

  const std::shared_ptr<Responder> responder_;
  const std::function<void(std::function<void()>)> post_;
  std::unique_ptr<TablePages> pages_;
  std::size_t left_;  // partitions
  Mutex mutex_;
  std::uint64_t drains_ GUARDED_BY(mutex_) = 0;
  bool paused_ GUARDED_BY(mutex_) = false, closed_ GUARDED_BY(mutex_) = false;
};

void answer_scan(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Engine& engine,
                 const std::function<void(std::function<void()>)>& post) {
  auto range = decode_range(request.body);
  if (!range) return refuse_peer(*responder, "the scan is of another form");
  const std::size_t partitions = range->partitions.size();
  auto pages = engine.scan_here(std::move(*range));
  if (!pages) return responder->respond(200, kPeerType, encode_page(pages.error()));
  std::make_shared<ScanAnswer>(responder, std::move(*pages), partitions, post)->start();
}

}  // namespace

bool PeerTerms::admits(const HttpRequest& request, bool users_are_known) const {
  if (secret.empty()) return !users_are_known;
  const std::string_view sent = request.header("authorization").value_or("");
  const std::string wanted = std::string(kPeerScheme) + secret;
  return sent.size() == wanted.size() && CRYPTO_memcmp(sent.data(), wanted.data(), wanted.size()) == 0;
}

bool is_peer_path(std::string_view path) {
  return path == kLookUpsPath || path == kScanPath || path == kReportPath || path == kLoansPath;
}

void answer_peer(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service& service,
                 const std::function<void(std::function<void()>)>& post) {
  if (request.method != "POST") return responder->respond(405, "", "", {{"Allow", "POST"}});
  if (request.path == kLookUpsPath) return answer_look_ups(request, responder, service.engine());
  if (request.path == kLoansPath) {
    auto question = decode_loan_question(request.body);
    if (!question) return refuse_peer(*responder, "the question is of another form");
    return post([responder, &service, question = std::move(*question)] {
      responder->respond(200, kPeerType, encode_loan_answer(service.engine().answer_loans(question)));
    });
  }
  if (request.path == kReportPath)
    return post([responder, &service] {
      responder->respond(200, "application/json", boost::json::serialize(service.document(Document::report)));
    });
  post([request, responder, &engine = service.engine(), post] { answer_scan(request, responder, engine, post); });
}

}  // namespace millrace::inline server
