#include "exec/state/map_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>

#include "exec/log/failpoint.h"
#include "exec/state/spill.h"

namespace millrace {
namespace {

using Rows = std::map<std::string, std::string>;

std::shared_ptr<const ValueLayout> rows_layout() {
  return {&row_layout(), [](const ValueLayout*) {}};
}

struct Changelog final : ChangelogSink {
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    records.emplace_back(std::string(key), value ? std::optional(std::string(*value)) : std::nullopt);
    return {};
  }
  std::vector<std::pair<std::string, std::optional<std::string>>> records;
};

std::string store_key(int number, std::int64_t window, bool windowed) {
  const ColumnDef column{"K", Type::integer(), ColumnRole::key, {}};
  const Value value(number);
  std::string key = encode_key({&value, 1}, {&column, 1});
  if (windowed) append_window(window, key);
  return key;
}

/// A store next to a model of it: what is current, what the commit under way holds, what is committed, and the log.
class Pair {
 public:
  /// `unread`: values grow, and are merged with those stored at the commit only.
  Pair(StateDb* db, bool windowed, bool unread = false) : db_(db), windowed_(windowed), unread_(unread) { open(); }

  void open() {
    StoreSlot slot{.db = db_, .prefix = "q|s|0", .changelog = true, .retention_ms = {}, .attach = {}};
    MapStoreOptions options{
        .layout = rows_layout(), .window_bytes = windowed_ ? 8u : 0u, .advance_ms = 10, .retention_ms = 1000};
    auto made = MapStore::open(slot, options);
    ASSERT_TRUE(made) << made.error().message;
    store = std::move(*made);
  }
  std::string random_key(std::mt19937& random) const {
    return store_key(static_cast<int>(random() % 50), static_cast<std::int64_t>(random() % 8) * 10, windowed_);
  }
  void change(std::mt19937& random) {
    KeyBuffer keys;
    const std::size_t count = random() % 20 + 1;
    for (std::size_t i = 0; i < count; ++i) {
      keys.bytes += random_key(random);
      keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
    }
    std::vector<Entry*> entries(count);
    if (unread_) return grow(keys, entries, random);
    ASSERT_TRUE(store->find_or_create(keys, entries));
    for (std::size_t i = 0; i < count; ++i) {
      const std::string key(keys[i]);
      ASSERT_EQ(entries[i]->present(), current.contains(key));
      if (entries[i]->present()) {
        ASSERT_EQ(row_value(entries[i]->value()).bytes(), current[key]);
      }
      const auto before = base.find(key);
      if (random() % 4 == 0) {
        store->remove(*entries[i]);
        current.erase(key);
      } else {
        const std::string value = "v" + std::to_string(random() % 1000);
        store->put_row(*entries[i], 5, value);
        current[key] = value;
      }
      const std::byte* old = store->before(*entries[i]);
      ASSERT_EQ(old != nullptr, before != base.end());
      if (old != nullptr) {
        ASSERT_EQ(row_value(old).bytes(), before->second);
      }
    }
  }
  void grow(const KeyBuffer& keys, std::span<Entry*> entries, std::mt19937& random) {
    ASSERT_TRUE(store->find_or_create_unread(keys, entries));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const char letter = static_cast<char>('a' + random() % 26);
      const bool present = entries[i]->present();
      store->put_row(*entries[i], 5, (present ? std::string(row_value(entries[i]->value()).bytes()) : "") + letter);
      current[std::string(keys[i])] += letter;
    }
  }
  void read_unread() {
    ASSERT_TRUE(store->read_unread([](std::byte* into, const std::byte* later) -> Status {
      const std::string all = std::string(row_value(into).bytes()).append(row_value(later).bytes());
      row_layout().destroy(into);
      make_row_value(into, 5, all);
      return {};
    }));
    for (const Entry* entry : store->changed()) {
      const auto before = base.find(std::string(store->key(*entry)));
      const std::byte* old = store->before(*entry);
      ASSERT_EQ(old != nullptr, before != base.end());
      if (old != nullptr) {
        ASSERT_EQ(row_value(old).bytes(), before->second);
      }
    }
  }
  void begin() {
    if (unread_) read_unread();
    Changelog log;
    ASSERT_TRUE(store->begin_commit(log));
    base = under_way = current;
    pending = std::move(log.records);
    committing = true;
  }
  void done() {
    log.insert(log.end(), pending.begin(), pending.end());
    pending.clear();
    store->commit_done(static_cast<std::int64_t>(log.size()));
    committed = under_way;
    committing = false;
  }
  void back() {
    store->roll_back();
    pending.clear();
    current = base = committed;
    committing = false;
  }
  /// The process dies: only RocksDB and the log remain. Replaying takes several steps and may spill in between.
  void crash(std::mt19937& random) {
    store.reset();
    open();
    std::vector<RecordView> records;
    for (std::size_t i = static_cast<std::size_t>(store->durable_position()); i < log.size(); ++i) {
      RecordView record{
          .key = log[i].first, .value = {}, .timestamp = 0, .offset = static_cast<std::int64_t>(i), .headers = {}};
      if (log[i].second) record.value = *log[i].second;
      records.push_back(record);
    }
    if (random() % 3 == 0) store->expect_large_restore();
    for (std::size_t at = 0; at < records.size();) {
      const std::size_t count = std::min(records.size() - at, static_cast<std::size_t>(random() % 40 + 1));
      ASSERT_TRUE(store->restore(std::span(records).subspan(at, count)));
      at += count;
      if (random() % 3 == 0) {
        ASSERT_TRUE(store->spill(random() % 2 == 0 ? 0 : 1 << 30));
      }
    }
    ASSERT_TRUE(store->restored(static_cast<std::int64_t>(log.size())));
    current = base = committed;
    pending.clear();
    committing = false;
  }
  void check(std::mt19937& random) {
    Rows seen;
    std::string last;
    ASSERT_TRUE(store->scan({}, {}, [&](std::string_view key, std::string_view value) {
      EXPECT_LT(last, key);
      last = key;
      seen.emplace(key, value.substr(8));
      return true;
    }));
    ASSERT_EQ(seen, committed);
    const std::string key = random_key(random);
    std::optional<std::string> got;
    ASSERT_TRUE(store->get(key, [&](std::string_view, std::string_view value) {
      got = value.substr(8);
      return true;
    }));
    const auto expected = committed.find(key);
    ASSERT_EQ(got.has_value(), expected != committed.end());
    if (got) {
      ASSERT_EQ(*got, expected->second);
    }
    if (!windowed_) return;
    Rows windows, mine;
    const std::string prefix = key.substr(0, key.size() - 8);
    ASSERT_TRUE(store->get_windows(prefix, 20, 50, [&](std::string_view k, std::string_view value) {
      windows.emplace(k, value.substr(8));
      return true;
    }));
    for (const auto& [k, v] : committed)
      if (k.starts_with(prefix) && read_window(k.data() + k.size() - 8) >= 20 &&
          read_window(k.data() + k.size() - 8) <= 50)
        mine.emplace(k, v);
    ASSERT_EQ(windows, mine);
  }

  /// A snapshot is taken at some step and read bit by bit over later ones, whatever happens to the store meanwhile.
  void read_snapshot(std::mt19937& random) {
    if (snapshot == nullptr) {
      const std::string from = random() % 2 == 0 ? std::string() : random_key(random);
      const std::string to = random() % 2 == 0 ? std::string() : random_key(random);
      expected.clear();
      for (const auto& [key, value] : committed)
        if (key >= from && (to.empty() || key < to)) expected.emplace_back(key, value);
      auto taken = store->snapshot(from, to);
      ASSERT_TRUE(taken) << taken.error().message;
      snapshot = std::move(*taken);
      entries.clear();
    }
    auto more = snapshot->next(random() % 9 + 1, entries);
    ASSERT_TRUE(more) << more.error().message;
    if (*more) return;
    for (auto& entry : entries) entry.second.erase(0, 8);
    ASSERT_EQ(entries, expected);
    snapshot.reset();
  }

  std::unique_ptr<StoreScan> snapshot;
  StoreScan::Entries entries, expected;
  std::unique_ptr<MapStore> store;
  Rows current, base, under_way, committed;
  std::vector<std::pair<std::string, std::optional<std::string>>> log, pending;
  bool committing = false;

 private:
  StateDb* db_;
  bool windowed_, unread_;
};

class MapStoreModel : public testing::TestWithParam<std::tuple<bool, bool, bool>> {};

TEST_P(MapStoreModel, EqualsAMapThroughCommitsCrashesAndSpills) {
  const auto [disk, windowed, unread] = GetParam();
  const std::string directory = std::filesystem::temp_directory_path() / ("millrace_state_" + std::to_string(getpid()));
  for (unsigned seed = 1; seed <= 2; ++seed) {
    std::filesystem::remove_all(directory);
    std::unique_ptr<StateDb> db;
    if (disk) {
      auto opened = StateDb::open({.directory = directory});
      ASSERT_TRUE(opened) << opened.error().message;
      db = std::move(*opened);
    }
    Pair pair(db.get(), windowed, unread);
    std::mt19937 random(seed);
    for (int step = 0; step < 300; ++step) {
      switch (random() % 12) {
        case 0:
          pair.committing ? pair.done() : pair.begin();
          break;
        case 1:
          pair.committing ? pair.done() : pair.begin();
          break;
        case 2:
          if (random() % 3 == 0) pair.back();
          break;
        case 3:
          ASSERT_TRUE(pair.store->spill(random() % 2 == 0 ? 0 : 1 << 30));
          break;
        case 4:
          if (random() % 4 == 0) pair.crash(random);
          break;
        default:
          pair.change(random);
      }
      if (HasFatalFailure()) return;
      pair.check(random);
      pair.read_snapshot(random);
      if (HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
  std::filesystem::remove_all(directory);
}
INSTANTIATE_TEST_SUITE_P(, MapStoreModel, testing::Combine(testing::Bool(), testing::Bool(), testing::Bool()));

TEST(MapStore, ExpiredWindowsLeaveWithTheCommit) {
  StoreSlot slot{.db = nullptr, .prefix = "q", .changelog = true, .retention_ms = {}, .attach = {}};
  auto made = MapStore::open(slot, {.layout = rows_layout(), .window_bytes = 8, .advance_ms = 10, .retention_ms = 100});
  MapStore& store = **made;
  KeyBuffer keys;
  for (const std::int64_t window : {0, 10, 20}) {
    keys.bytes += store_key(1, window, true);
    keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
  }
  std::vector<Entry*> entries(3);
  ASSERT_TRUE(store.find_or_create(keys, entries));
  for (Entry* entry : entries) store.put_row(*entry, 1, "x");
  store.expire_before(20);
  Changelog log;
  ASSERT_TRUE(store.begin_commit(log));
  store.roll_back();
  int left = 0;
  const auto count = [&](std::string_view, std::string_view) { return ++left, true; };
  ASSERT_TRUE(store.find_or_create(keys, entries));
  for (Entry* entry : entries) store.put_row(*entry, 1, "x");
  store.expire_before(20);
  ASSERT_TRUE(store.begin_commit(log));
  store.commit_done(3);
  ASSERT_TRUE(store.scan({}, {}, count));
  EXPECT_EQ(left, 1);
  // The changelog up to there is about expired windows once the newest of them is.
  EXPECT_EQ(store.expired_position(), 0);
  keys.clear();
  keys.bytes = store_key(1, 200, true);
  keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
  entries.resize(1);
  ASSERT_TRUE(store.find_or_create(keys, entries));
  store.put_row(*entries[0], 1, "x");
  store.expire_before(30);
  ASSERT_TRUE(store.begin_commit(log));
  EXPECT_EQ(store.expired_position(), 0);
  store.commit_done(4);
  EXPECT_EQ(store.expired_position(), 3);
}

/// A timestamp and a pointer to a text that grows in place.
struct GrowingLayout final : ValueLayout {
  static std::string*& text(std::byte* value) { return *reinterpret_cast<std::string**>(value + 8); }
  static const std::string& text(const std::byte* value) { return *text(const_cast<std::byte*>(value)); }
  std::size_t size() const override { return 16; }
  bool trivial() const override { return false; }
  void copy(const std::byte* from, std::byte* to) const override { text(to) = new std::string(text(from)); }
  void destroy(std::byte* value) const override { delete text(value); }
  void encode(const std::byte* value, std::string& out) const override { out += text(value); }
  bool decode(std::string_view in, std::byte* value) const override { return text(value) = new std::string(in), true; }
  std::size_t heap_bytes(const std::byte* value) const override { return text(value).size(); }
};

TEST(MapStore, CountsWhatGrowsInPlace) {
  constexpr std::size_t kLarge = 1 << 20;
  StoreSlot slot{.db = nullptr, .prefix = "q", .changelog = true, .retention_ms = {}, .attach = {}};
  auto made = MapStore::open(slot, {.layout = std::make_shared<GrowingLayout>()});
  MapStore& store = **made;
  KeyBuffer key;
  key.bytes = store_key(1, 0, false);
  key.ends.push_back(static_cast<std::uint32_t>(key.bytes.size()));
  Entry* entry = nullptr;
  const auto grow = [&] {
    ASSERT_TRUE(store.find_or_create(key, {&entry, 1}));
    store.change(*entry);
    if (!entry->present()) GrowingLayout::text(entry->value()) = new std::string();
    entry->set(Entry::kPresent);
    GrowingLayout::text(entry->value())->append(kLarge, 'x');
  };
  Changelog log;
  const auto begin = [&] { ASSERT_TRUE(store.begin_commit(log)); };
  const auto about = [&](std::size_t times) {
    return store.memory_bytes() >= times * kLarge && store.memory_bytes() < times * kLarge + kLarge / 2;
  };
  grow();
  begin();
  EXPECT_TRUE(about(1));
  grow();  // while the commit is under way
  EXPECT_TRUE(about(2)) << store.memory_bytes();
  EXPECT_GE(store.dirty_bytes(), kLarge);
  store.commit_done(1);
  begin();
  EXPECT_TRUE(about(3)) << store.memory_bytes();  // the value, and what it was
  store.commit_done(2);
  EXPECT_TRUE(about(2));
  grow();
  begin();
  grow();
  store.roll_back();
  EXPECT_TRUE(about(2)) << store.memory_bytes();
  ASSERT_TRUE(store.find_or_create(key, {&entry, 1}));
  store.remove(*entry);
  begin();
  store.commit_done(3);
  EXPECT_TRUE(about(0));
}

TEST(MapStore, AFailedSpillLosesNothing) {
  const std::string directory = std::filesystem::temp_directory_path() / ("millrace_spill_" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  auto db = StateDb::open({.directory = directory});
  ASSERT_TRUE(db);
  Pair pair(db->get(), true);
  std::mt19937 random(3);
  pair.change(random);
  pair.begin();
  pair.done();
  failpoint::arm(failpoint::kSpill, {});
  const Status failed = pair.store->spill(0);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::external);
  EXPECT_EQ(pair.store->durable_position(), 0);
  pair.check(random);
  pair.crash(random);
  pair.check(random);
  ASSERT_TRUE(pair.store->spill(0));
  EXPECT_GT(pair.store->durable_position(), 0);
  pair.check(random);
  pair.crash(random);
  pair.check(random);
  failpoint::disarm_all();
  pair.store.reset();
  db->reset();
  std::filesystem::remove_all(directory);
}

TEST(MapStore, ReplaysMoreThanMemoryHoldsPastIt) {
  const std::string directory = std::filesystem::temp_directory_path() / ("millrace_bulk_" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  auto db = StateDb::open({.directory = directory});
  ASSERT_TRUE(db);
  constexpr int kKeys = 20'000;
  constexpr std::size_t kMemory = 100'000;
  StoreSlot slot{.db = db->get(), .prefix = "q|s|0", .changelog = true, .retention_ms = {}, .attach = {}};
  auto store = std::move(*MapStore::open(slot, {.layout = rows_layout()}));
  std::size_t most = 0;
  std::int64_t offset = 0;
  for (const int round : {0, 1}) {
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = store_key(i, 0, false), value = std::string(8, '\0') + "value " + std::to_string(round);
      RecordView record{.key = key, .value = value, .timestamp = 0, .offset = offset++, .headers = {}};
      if (round == 1 && i % 10 == 0) record.value.reset();
      ASSERT_TRUE(store->restore({&record, 1}));
      if (store->memory_bytes() > kMemory) {
        ASSERT_TRUE(store->spill(kMemory / 2));
      }
      most = std::max(most, store->memory_bytes());
    }
  }
  ASSERT_TRUE(store->restored(offset));
  EXPECT_LT(most, 3 * kMemory);
  EXPECT_EQ(store->durable_position(), offset);
  int rows = 0;
  ASSERT_TRUE(store->scan({}, {}, [&](std::string_view, std::string_view value) {
    EXPECT_EQ(value.substr(8), "value 1");
    return ++rows, true;
  }));
  EXPECT_EQ(rows, kKeys - kKeys / 10);
  ASSERT_TRUE(store->clear());
  EXPECT_EQ(store->durable_position(), 0);
  store = std::move(*MapStore::open(slot, {.layout = rows_layout()}));
  EXPECT_EQ(store->durable_position(), 0);
  ASSERT_TRUE(store->scan({}, {}, [&](std::string_view, std::string_view) { return ++rows, true; }));
  EXPECT_EQ(rows, kKeys - kKeys / 10);
  store.reset();
  db->reset();
  std::filesystem::remove_all(directory);
}

TEST(MapStore, WithoutAChangelogGoesToDiskToo) {
  const std::string directory = std::filesystem::temp_directory_path() / ("millrace_alone_" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  auto db = StateDb::open({.directory = directory});
  ASSERT_TRUE(db);
  StoreSlot slot{.db = db->get(), .prefix = "q|s|0", .changelog = false, .retention_ms = {}, .attach = {}};
  auto store = MapStore::open(slot, {.layout = rows_layout()});
  ASSERT_TRUE(store);
  for (int round = 0; round < 3; ++round) {
    const std::string value = "v" + std::to_string(round);
    Entry* entry = (*store)->make(store_key(1, 0, false));
    (*store)->put_row(*entry, 1, value);
    Changelog log;
    ASSERT_TRUE((*store)->begin_commit(log));
    EXPECT_TRUE(log.records.empty());
    (*store)->commit_done(0);
    EXPECT_TRUE((*store)->has_to_write());
    ASSERT_TRUE((*store)->spill(0));
    EXPECT_FALSE((*store)->has_to_write());
    KeyBuffer keys;
    keys.bytes = store_key(1, 0, false);
    keys.ends = {static_cast<std::uint32_t>(keys.bytes.size())};
    Entry* found = nullptr;
    ASSERT_TRUE((*store)->find(keys, {&found, 1}));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(row_value(found->value()).bytes(), value);
  }
  store->reset();
  db->reset();
  std::filesystem::remove_all(directory);
}

TEST(MapStore, StoresShareTheFilesOfASpill) {
  const std::string directory = std::filesystem::temp_directory_path() / ("millrace_share_" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  auto db = StateDb::open({.directory = directory});
  ASSERT_TRUE(db);
  constexpr int kStores = 40;
  std::vector<std::unique_ptr<MapStore>> stores;
  std::vector<Store*> all;
  const auto open = [&](int i) {
    StoreSlot slot{
        .db = db->get(), .prefix = "q|" + std::to_string(i), .changelog = true, .retention_ms = {}, .attach = {}};
    return MapStore::open(slot, {.layout = rows_layout()});
  };
  for (int i = 0; i < kStores; ++i) {
    auto made = open(i);
    ASSERT_TRUE(made);
    stores.push_back(std::move(*made));
    Entry* entry = stores.back()->make(store_key(i, 0, false));
    stores.back()->put_row(*entry, 1, "v" + std::to_string(i));
    Changelog log;
    ASSERT_TRUE(stores.back()->begin_commit(log));
    stores.back()->commit_done(i + 1);
    all.insert(all.begin(), stores.back().get());  // in no order of the database's
  }
  const auto files = [&] {
    return std::count_if(std::filesystem::directory_iterator(directory), {},
                         [](const auto& entry) { return entry.path().extension() == ".sst"; });
  };
  const auto before = files();
  ASSERT_TRUE(spill_stores(**db, all));
  EXPECT_LE(files() - before, 4);
  for (int i = 0; i < kStores; ++i) {
    EXPECT_FALSE(stores[static_cast<std::size_t>(i)]->has_to_write());
    auto again = open(i);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->durable_position(), i + 1);
    std::string got;
    ASSERT_TRUE((*again)->get(store_key(i, 0, false), [&](std::string_view, std::string_view value) {
      got = value.substr(8);
      return true;
    }));
    EXPECT_EQ(got, "v" + std::to_string(i));
  }
  stores.clear();
  db->reset();
  std::filesystem::remove_all(directory);
}

TEST(StateDb, KeepsPositionsDropsStoresAndRefusesASecondProcess) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("millrace_statedb_" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  {
    auto db = StateDb::open({.directory = directory});
    ASSERT_TRUE(db);
    EXPECT_EQ(StateDb::open({.directory = directory}).error().fault, Fault::user);
    const auto id = (*db)->id("query1|s|0");
    auto file = (*db)->new_file();
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_TRUE((*file)->begin(*id, 42, 0));
    ASSERT_TRUE((*file)->put("a", "1"));
    ASSERT_TRUE((*file)->put("b", "2"));
    ASSERT_TRUE((*file)->finish());
  }
  auto db = StateDb::open({.directory = directory});
  ASSERT_TRUE(db);
  const auto id = (*db)->id("query1|s|0");
  EXPECT_EQ(*(*db)->position(*id), 42);
  EXPECT_EQ(**(*db)->seek(*id, "aa"), "b");
  ASSERT_TRUE((*db)->drop("query1|"));
  const auto again = (*db)->id("query1|s|0");
  EXPECT_EQ(*(*db)->position(*again), 0);
  EXPECT_FALSE((*db)->seek(*again, {})->has_value());
  db->reset();
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace millrace
