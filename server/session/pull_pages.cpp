#include "server/session/pull_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <random>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "server/session/errors.h"
#include "server/session/running_pull.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace {

const std::string kPageRows = "millrace.pull.page.rows", kPageToken = "request.millrace.page.token";

std::string random_id() {
  std::random_device source;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", source(), source(), source(), source());
}

class PageRows final : public TableRows {
 public:
  explicit PageRows(std::vector<Batch> rows) : rows_(std::move(rows)) {}
  Result<std::optional<Batch>> next() override {
    if (at_ == rows_.size()) return std::optional<Batch>();
    return std::optional(std::move(rows_[at_++]));
  }

 private:
  std::vector<Batch> rows_;
  std::size_t at_ = 0;
};

}  // namespace

bool CollectingSink::rows(const Batch& batch) {
  if (full_) return true;
  answer_.bytes += footprint(batch);
  if (answer_.bytes > most_bytes_) {
    full_ = true;
    answer_.rows.clear();
    error_ = service_error(
        kBadStatement,
        fmt::format("Pull query needs more than {} MB (pages). Narrow it or add LIMIT.", most_bytes_ >> 20));
    return true;
  }
  answer_.count += batch.rows;
  answer_.rows.push_back(share(batch));
  return true;
}

std::string PullPages::token(const std::string& id, std::size_t first) {
  return fmt::format("{}.{}", id, first);
}

std::string PullPages::put(const AnswerPtr& answer, std::size_t first) {
  const std::string id = random_id();
  const MutexLock lock(mutex_);
  kept_.forget_idle(kept_for_);
  kept_.put({id, answer->text}, answer, answer->bytes);
  return token(id, first);
}

std::optional<PullPages::Place> PullPages::find(const std::string& token, const std::string& text) {
  const std::size_t dot = token.find('.');
  if (dot == std::string::npos) return std::nullopt;
  std::size_t first = 0;
  const auto [end, error] = std::from_chars(token.data() + dot + 1, token.data() + token.size(), first);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  std::string id = token.substr(0, dot);
  const MutexLock lock(mutex_);
  kept_.forget_idle(kept_for_);
  const AnswerPtr* const found = kept_.find({id, text});
  if (found == nullptr) return std::nullopt;
  return Place{*found, std::min(first, (*found)->count), std::move(id)};
}

void PullPages::forget_old() {
  const MutexLock lock(mutex_);
  kept_.forget_idle(kept_for_);
}

std::shared_ptr<TableRows> page_rows(const PagedAnswer& answer, std::size_t first, std::size_t count) {
  std::vector<Batch> rows;
  for (const Batch& batch : answer.rows) {
    const std::size_t from = std::min(first, batch.rows), to = std::min(batch.rows, from + count);
    first -= from;
    if (from == to) continue;
    count -= to - from;
    std::vector<std::uint32_t> wanted(to - from);
    std::iota(wanted.begin(), wanted.end(), static_cast<std::uint32_t>(from));
    rows.push_back(wanted.size() == batch.rows ? share(batch) : gather(batch, wanted));
  }
  return std::make_shared<PageRows>(std::move(rows));
}

bool is_paged(const Request& request) {
  return request.properties.contains(kPageRows) || request.request_properties.contains(kPageToken);
}

Service::Started ServiceImpl::query_in_pages(const Request& request, ResultSink& sink) {
  std::size_t most = 0;
  try {
    most = static_cast<std::size_t>(setting_integer(session_properties(request, true).effective, kPageRows));
  } catch (const SqlError& error) {
    return {nullptr, to_service_error(error, request.sql, false)};
  }
  if (most == 0) most = SIZE_MAX;
  if (const auto token = request.request_properties.find(kPageToken); token != request.request_properties.end()) {
    const auto place = pages_->find(token->second, request.sql);
    if (!place) return {nullptr, service_error(kBadStatement, "Page token has expired. Start again.")};
    return give_page(*place, most, sink);
  }
  Request whole = request;
  whole.properties.erase(kPageRows);
  CollectingSink collected(sink, static_cast<std::size_t>(config().integer("millrace.pull.max.memory.bytes")));
  Started started = query_whole(whole, collected);
  if (started.error) return started;
  if (started.query != nullptr || collected.answer().header.push)
    return {nullptr,
            service_error(kBadStatement, "Only pull queries on tables, or with ORDER BY, are given in pages.")};
  if (collected.error()) return {nullptr, collected.error()};
  collected.answer().text = request.sql;
  return give_page({std::make_shared<const PagedAnswer>(std::move(collected.answer())), 0, {}}, most, sink);
}

/// `place`: with an id, where the answer is kept already.
Service::Started ServiceImpl::give_page(const PullPages::Place& place, std::size_t most, ResultSink& sink) {
  const PagedAnswer& answer = *place.answer;
  const std::size_t count = std::min(most, answer.count - place.first), next = place.first + count;
  std::string token;
  if (next < answer.count)
    token = place.id.empty() ? pages_->put(place.answer, next) : PullPages::token(place.id, next);
  if (!token.empty())
    pages_->set_timer(pull_threads_.after(pages_->kept_for() + std::chrono::seconds(1), [weak = std::weak_ptr(pages_)] {
      if (const auto pages = weak.lock()) pages->forget_old();
    }));
  return start_pull(answer.header, page_rows(answer, place.first, count), sink, pull_threads_, std::move(token));
}

}  // namespace millrace::inline server
