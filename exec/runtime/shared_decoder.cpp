#include "exec/runtime/shared_decoder.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

/// `source` reading `read`, whatever stream or table it is read as.
NodePtr reading(const PlanNode& source, std::vector<std::size_t> read) {
  SourceNode node = *source.as<SourceNode>();
  node.name.clear();
  node.partitions = 0;
  node.read = std::move(read);
  return make_source(std::move(node), source.kind, source.window);
}

}  // namespace

SharedDecoder::SharedDecoder(NodePtr source, SharedDecoders& all)
    : source_(std::move(source)),
      all_(all),
      readers_(source_->as<SourceNode>()->declared.columns.size(), 0),
      positions_(readers_.size(), 0) {}

void SharedDecoder::add(const std::vector<std::size_t>& read) {
  ++members_;
  for (const std::size_t column : read) stale_ = readers_[column]++ == 0 || stale_;
}

void SharedDecoder::remove(const std::vector<std::size_t>& read) {
  --members_;
  for (const std::size_t column : read) stale_ = --readers_[column] == 0 || stale_;
}

void SharedDecoder::build() {
  std::vector<std::size_t> read;
  for (std::size_t column = 0; column < readers_.size(); ++column) {
    if (readers_[column] == 0) continue;
    positions_[column] = read.size();
    read.push_back(column);
  }
  node_ = reading(*source_, std::move(read));
  stage_ = std::make_unique<SourceStage>(*node_, QueryOptions{}, 0, SourceSetup{.schemas = all_.schemas()},
                                         [this](const BadRecord&) { bad_ = true; });
  version_ = all_.next_version();
  stale_ = false;
}

const Batch* SharedDecoder::decode(const Arrival& arrival, std::size_t from, std::size_t count) {
  if (stale_) build();
  for (const Arrival::Decoded& known : arrival.decoded)
    if (known.version == version_ && known.from == from && known.count == count) return known.rows.get();
  if (!stage_->ready(arrival.fetch, from, count)) return nullptr;
  bad_ = false;
  all_.rows() += count;
  auto rows = stage_->decode(arrival.fetch, from, count);
  const bool sound = rows && !bad_;
  arrival.decoded.push_back({version_, from, count, sound ? std::make_shared<const Batch>(std::move(*rows)) : nullptr});
  return arrival.decoded.back().rows.get();
}

std::shared_ptr<SharedDecoder> SharedDecoders::of(const PlanNode& source) {
  const NodePtr plain = reading(source, {});
  std::erase_if(known_, [](const auto& known) { return known.expired(); });
  for (const auto& known : known_)
    if (auto found = known.lock(); found && found->serves(*plain)) return found;
  auto made = std::make_shared<SharedDecoder>(plain, *this);
  known_.push_back(made);
  return made;
}

}  // namespace millrace::inline exec
