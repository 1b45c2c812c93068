#include "exec/state/ordered_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>
#include <random>

namespace millrace {
namespace {

constexpr std::int64_t kRetention = 6400;

std::string key_of(int number) {
  const ColumnDef column{"K", Type::integer(), ColumnRole::key, {}};
  const Value value(number);
  return encode_key({&value, 1}, {&column, 1});
}

struct OrderedChanges final : ChangelogSink {
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    records.emplace_back(std::string(key), value ? std::optional(std::string(*value)) : std::nullopt);
    return {};
  }
  std::vector<std::pair<std::string, std::optional<std::string>>> records;
};

/// Counts where it is put.
class CountingCursor final : public StateDb::Cursor {
 public:
  CountingCursor(std::unique_ptr<StateDb::Cursor> cursor, int& seeks) : cursor_(std::move(cursor)), seeks_(seeks) {}
  bool valid() const override { return cursor_->valid(); }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }
  void next() override { cursor_->next(); }
  void seek(std::string_view from) override {
    ++seeks_;
    cursor_->seek(from);
  }
  void seek_before(std::string_view to) override { cursor_->seek_before(to); }
  void previous() override { cursor_->previous(); }
  Status status() const override { return cursor_->status(); }

 private:
  std::unique_ptr<StateDb::Cursor> cursor_;
  int& seeks_;
};

/// Counts the seeks of its cursors.
class CountingDb final : public StateDb {
 public:
  explicit CountingDb(StateDb& db) : db_(db) {}
  Result<std::uint32_t> id(const std::string& name) override { return db_.id(name); }
  Result<std::int64_t> position(std::uint32_t id) override { return db_.position(id); }
  Result<std::int64_t> position_time(std::uint32_t id) override { return db_.position_time(id); }
  Result<std::int64_t> segment_span(std::uint32_t id) override { return db_.segment_span(id); }
  Status set_segment_span(std::uint32_t id, std::int64_t span) override { return db_.set_segment_span(id, span); }
  Result<std::unique_ptr<StateFile>> new_file() override { return db_.new_file(); }
  Status multi_get(std::uint32_t id, std::span<const std::string> keys,
                   std::vector<std::optional<std::string>>& values) override {
    return db_.multi_get(id, keys, values);
  }
  Status look_up(std::uint32_t id, const KeyBuffer& keys, const Found& found) override {
    return db_.look_up(id, keys, found);
  }
  Status scan(std::uint32_t id, std::string_view from, std::string_view to, const Visit& visit) override {
    return db_.scan(id, from, to, visit);
  }
  std::unique_ptr<Cursor> cursor(std::uint32_t id, std::string_view from, std::string_view to) override {
    return std::make_unique<CountingCursor>(db_.cursor(id, from, to), seeks);
  }
  Result<std::optional<std::string>> seek(std::uint32_t id, std::string_view from) override {
    return db_.seek(id, from);
  }
  Status drop_range(std::uint32_t id, std::string_view from, std::string_view to) override {
    return db_.drop_range(id, from, to);
  }
  Status clear(std::uint32_t id) override { return db_.clear(id); }
  Status checkpoint(const std::string& directory) override { return db_.checkpoint(directory); }
  Status drop_store(const std::string& name) override { return db_.drop_store(name); }
  Status drop(const std::string& name_prefix) override { return db_.drop(name_prefix); }

  int seeks = 0;

 private:
  StateDb& db_;
};

/// A store next to a model of it: per key what ends when, and what it holds.
class OrderedPair {
 public:
  using Ends = std::map<std::pair<std::int64_t, std::int64_t>, std::string>;  // end, start
  using Items = std::map<int, Ends>;
  static constexpr int kKeys = 12;

  explicit OrderedPair(StateDb& db) : db_(db) { open(); }

  void open() {
    StoreSlot slot{.db = &db_, .prefix = "q|s|0", .changelog = true, .retention_ms = {}, .attach = {}};
    auto made = OrderedStore::open(
        slot, {.layout = {&row_layout(), [](const ValueLayout*) {}}, .advance_ms = 10, .retention_ms = kRetention});
    ASSERT_TRUE(made) << made.error().message;
    store = std::move(*made);
  }
  OrderedStore::List& list(int key, std::int64_t from) {
    KeyBuffer keys;
    keys.bytes = key_of(key);
    keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
    std::vector<OrderedStore::List*> lists;
    EXPECT_TRUE(store->lists(keys, {&from, 1}, lists));
    return *lists.front();
  }
  void insert(int key, std::int64_t start, std::int64_t end) {
    if (current[key].contains({end, start})) return;
    Entry* entry = random_() % 2 == 0 ? store->insert(list(key, end), key_of(key), start, end)
                                      : store->insert(key_of(key), start, end);
    const std::string value = "v" + std::to_string(random_() % 1000);
    store->map().put_row(*entry, end, value);
    current[key][{end, start}] = value;
  }
  void change() {
    const int key = static_cast<int>(random_() % kKeys);
    const auto end = static_cast<std::int64_t>(random_() % kRetention);
    if (random_() % 3 != 0 || current[key].empty())
      return insert(key, end - static_cast<std::int64_t>(random_() % 50), end);
    const auto gone = std::next(current[key].begin(), static_cast<std::ptrdiff_t>(random_() % current[key].size()));
    OrderedStore::List& items = list(key, gone->first.first);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].end != gone->first.first || items[i].start != gone->first.second) continue;
      store->erase(items, i);
      current[key].erase(gone);
      return;
    }
    FAIL() << "an item is not in its list";
  }
  void begin() {
    OrderedChanges changes;
    ASSERT_TRUE(store->begin_commit(changes));
    under_way = current;
    pending = std::move(changes.records);
    committing = true;
  }
  void done() {
    log.insert(log.end(), pending.begin(), pending.end());
    store->commit_done(static_cast<std::int64_t>(log.size()));
    committed = under_way;
    committing = false;
  }
  void back() {
    store->roll_back();
    current = committed;
    committing = false;
  }
  void crash() {
    store.reset();
    open();
    std::vector<RecordView> records;
    for (auto i = static_cast<std::size_t>(store->durable_position()); i < log.size(); ++i) {
      RecordView record{
          .key = log[i].first, .value = {}, .timestamp = 0, .offset = static_cast<std::int64_t>(i), .headers = {}};
      if (log[i].second) record.value = *log[i].second;
      records.push_back(record);
    }
    ASSERT_TRUE(store->restore(records));
    ASSERT_TRUE(store->restored(static_cast<std::int64_t>(log.size())));
    current = committed;
    committing = false;
  }
  void check() {
    const int key = static_cast<int>(random_() % kKeys);
    const auto from = static_cast<std::int64_t>(random_() % kRetention);
    const auto equals = [&](const OrderedStore::List& items) {
      Ends seen;
      std::pair<std::int64_t, std::int64_t> last{-1, 0};
      for (const OrderedStore::Item& item : items) {
        ASSERT_LT(last, std::pair(item.end, item.start));
        last = {item.end, item.start};
        if (item.end >= from) seen[last] = row_value(item.entry->value()).bytes();
      }
      ASSERT_EQ(seen, Ends(current[key].lower_bound({from, INT64_MIN}), current[key].end()));
    };
    if (random_() % 2 == 0) return equals(list(key, from));
    KeyBuffer keys;
    keys.bytes = key_of(key);
    keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
    std::vector<const OrderedStore::List*> lists;
    ASSERT_TRUE(store->find_lists(keys, {&from, 1}, lists));
    equals(*lists.front());
  }
  void check_windows() {
    const auto from = static_cast<std::int64_t>(random_() % kRetention);
    const std::int64_t to = from + static_cast<std::int64_t>(random_() % 1000);
    std::size_t seen = 0, expected = 0;
    ASSERT_TRUE(
        store->map().visit_windows(from, to, [&](std::string_view, const Entry* entry, std::string_view stored) {
          ++seen;
          ASSERT_EQ(entry != nullptr ? row_value(entry->value()).bytes().front() : stored[sizeof(std::int64_t)], 'v');
        }));
    for (const auto& [key, ends] : current)
      for (const auto& [item, value] : ends) expected += item.first >= from && item.first < to ? 1 : 0;
    ASSERT_EQ(seen, expected);
  }
  void step() {
    switch (random_() % 16) {
      case 0:
      case 1:
        return committing ? done() : begin();
      case 2:
        return random_() % 3 == 0 ? back() : void();
      case 3:
        ASSERT_TRUE(store->spill(random_() % 2 == 0 ? 0 : 1 << 30));
        return;
      case 4:
        return random_() % 4 == 0 ? crash() : void();
      default:
        return change();
    }
  }
  void seed(unsigned seed) { random_.seed(seed); }

  std::unique_ptr<OrderedStore> store;
  Items current, under_way, committed;
  std::vector<std::pair<std::string, std::optional<std::string>>> log, pending;
  bool committing = false;

 private:
  StateDb& db_;
  std::mt19937 random_;
};

class OrderedStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto opened = StateDb::open({.directory = directory_});
    ASSERT_TRUE(opened) << opened.error().message;
    db_ = std::move(*opened);
  }
  void TearDown() override {
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("millrace_ordered_" + std::to_string(getpid()));
  std::unique_ptr<StateDb> db_;
};

TEST_F(OrderedStoreTest, EqualsAMapThroughCommitsCrashesAndSpills) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    ASSERT_TRUE(db_->drop("q|"));
    OrderedPair pair(*db_);
    pair.seed(seed);
    for (int step = 0; step < 1500; ++step) {
      pair.step();
      if (!HasFatalFailure()) pair.check();
      if (!HasFatalFailure()) pair.check_windows();
      if (HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

// Whoever comes in the order of time is looked for where he can be, not in all that is kept.
TEST_F(OrderedStoreTest, AKeyThatMemoryLacksTakesOneSeek) {
  CountingDb counting(*db_);
  OrderedPair pair(counting);
  for (std::int64_t end = 0; end < kRetention; end += 10) pair.insert(static_cast<int>(end / 10) % 12, end, end);
  pair.begin();
  pair.done();
  ASSERT_TRUE(pair.store->spill(0));
  pair.crash();
  counting.seeks = 0;
  for (int key = 0; key < OrderedPair::kKeys; ++key) pair.list(key, kRetention - 50);
  EXPECT_EQ(counting.seeks, OrderedPair::kKeys);
  for (int key = 0; key < OrderedPair::kKeys; ++key) pair.list(key, kRetention - 50);
  EXPECT_EQ(counting.seeks, OrderedPair::kKeys);
  // Later ones are all in memory.
  pair.insert(3, kRetention + 500, kRetention + 500);
  pair.list(5, kRetention + 400);
  EXPECT_EQ(counting.seeks, OrderedPair::kKeys);
}

// What was written in segments of another length is read in those.
TEST_F(OrderedStoreTest, SegmentsKeepTheirLength) {
  {
    OrderedPair pair(*db_);
    for (std::int64_t end = 0; end < kRetention; end += 10) pair.insert(1, end, end);
    pair.begin();
    pair.done();
    ASSERT_TRUE(pair.store->spill(0));
  }
  StoreSlot slot{.db = db_.get(), .prefix = "q|s|0", .changelog = true, .retention_ms = {}, .attach = {}};
  auto made = MapStore::open(slot, {.layout = {&row_layout(), [](const ValueLayout*) {}},
                                    .window_bytes = 2 * kWindowBytes,
                                    .advance_ms = 1,
                                    .retention_ms = 2 * kRetention});
  ASSERT_TRUE(made) << made.error().message;
  std::size_t seen = 0;
  ASSERT_TRUE((*made)->visit_windows(1000, 2000, [&](std::string_view, const Entry*, std::string_view) { ++seen; }));
  EXPECT_EQ(seen, 100u);
}

}  // namespace
}  // namespace millrace
