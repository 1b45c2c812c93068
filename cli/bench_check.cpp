#include <fmt/format.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <fstream>
#include <vector>

#include "cli/bench_run.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::chrono::milliseconds kPoll{500};
constexpr int kPatience = 20;      // polls that bring nothing before the output counts as incomplete
constexpr int kShortPatience = 2;  // where nobody knows what is missing

/// Folds records of the output into a digest: all of them, or the last of each key.
class Folder {
 public:
  explicit Folder(const Workload& workload) : workload_(workload) {}

  Status add(const RecordView& record) {
    ++records_;
    if (!workload_.row_hash) return {};
    if (!record.value) {  // of a table: the row of that key is gone
      if (!workload_.table || !record.key) return user_error("the output holds a record without value");
      last_.erase(std::string(*record.key));
      return {};
    }
    const auto hash = workload_.row_hash(record);
    if (!hash) return user_error("the output holds a record that is not a row of it: {}", *record.value);
    if (!workload_.table) {
      digest_.add(*hash);
    } else if (record.key) {
      last_[std::string(*record.key)] = *hash;
    }
    return {};
  }
  Digest digest() const {
    Digest all = digest_;
    for (const auto& [key, hash] : last_) all.add(hash);
    return all;
  }
  std::int64_t records() const { return records_; }

 private:
  const Workload& workload_;
  Digest digest_;
  std::int64_t records_ = 0;
  boost::unordered_flat_map<std::string, std::uint64_t> last_;
};

/// Records as JSON lines: key in hexadecimal, value as it is.
class Dump {
 public:
  explicit Dump(const std::string& path) : path_(path) {
    if (!path.empty()) file_.open(path, std::ios::trunc);
  }
  void add(const RecordView& record) {
    if (path_.empty()) return;
    std::string key;
    for (const char c : record.key.value_or("")) key += fmt::format("{:02x}", static_cast<unsigned char>(c));
    file_ << fmt::format("{{\"key\":\"{}\",\"value\":{},\"timestamp\":{}}}\n", key, record.value.value_or("null"),
                         record.timestamp);
  }
  Status close() {
    if (path_.empty()) return {};
    file_.close();
    if (!file_) return user_error("cannot write {}", path_);
    return {};
  }

 private:
  std::string path_;
  std::ofstream file_;
};

}  // namespace

Status dump_inputs(const Workload& workload, const std::string& directory) {
  for (const Input& input : workload.inputs) {
    Dump dump(fmt::format("{}/{}.jsonl", directory, input.topic));
    input.generate([&](const InputRecord& record) {
      dump.add({.key = record.key, .value = record.value, .timestamp = record.timestamp, .offset = -1, .headers = {}});
    });
    if (Status closed = dump.close(); !closed) return closed;
  }
  return {};
}

Result<std::int64_t> check_output(Log& log, const std::string& topic, const Workload& workload,
                                  const std::string& dump_path) {
  const Digest expected = workload.expected ? workload.expected() : Digest{};
  const int patience = workload.expected ? kPatience : kShortPatience;
  auto described = log.describe_topic(topic);
  if (!described) return described.error();
  if (!*described) return user_error("the output topic {} is missing", topic);
  auto reader = log.reader("millrace-bench-check");
  if (!reader) return reader.error();
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> at;
  for (int partition = 0; partition < (**described).config.partitions; ++partition) {
    auto bounds = log.bounds({topic, partition});
    if (!bounds) return bounds.error();
    auto source = (*reader)->add({topic, partition}, kOffsetBeginning);
    if (!source) return source.error();
    at.resize(std::max<std::size_t>(at.size(), static_cast<std::size_t>(*source) + 1));
    ends.resize(at.size());
    ends[static_cast<std::size_t>(*source)] = bounds->end;
  }
  Folder folder(workload);
  Dump dump(dump_path);
  // The last offsets may be commit markers, which no read brings: then silence and the right content mean the end.
  for (int silent = 0; at != ends && silent < patience;) {
    auto fetch = (*reader)->poll(4096, kPoll);
    if (!fetch) return fetch.error();
    if (!*fetch) {
      if (workload.expected && folder.digest() == expected) break;
      ++silent;
      continue;
    }
    silent = 0;
    at[static_cast<std::size_t>((*fetch)->source)] = (*fetch)->next_offset;
    for (const RecordView& record : (*fetch)->records) {
      if (Status added = folder.add(record); !added) return added.error();
      dump.add(record);
    }
  }
  if (Status closed = dump.close(); !closed) return closed.error();
  const Digest got = folder.digest();
  if (workload.expected && got != expected)
    return user_error("{} computed wrong results: {} rows of digest {:016x}, expected {} rows of {:016x}",
                      workload.name, got.rows, got.sum, expected.rows, expected.sum);
  return folder.records();
}

}  // namespace millrace::inline cli::bench
