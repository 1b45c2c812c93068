#include <gtest/gtest.h>
#include <unistd.h>

#include <concepts>
#include <filesystem>
#include <random>
#include <set>

#include "exec/state/key_codec.h"
#include "exec/state/pair_store.h"
#include "exec/state/reference_store.h"
#include "exec/state/spill.h"

namespace millrace {
namespace {

using NumberPairs = std::set<std::pair<int, int>>;

std::string pair_part(int number) {
  const ColumnDef column{"K", Type::integer(), ColumnRole::key, {}};
  const Value value(number);
  return encode_key({&value, 1}, {&column, 1});
}

template <class Index, bool OnDisk>
struct Case {
  using Store = Index;
  static constexpr bool kOnDisk = OnDisk;
};
using Cases = testing::Types<Case<PairStore, false>, Case<PairStore, true>, Case<ReferenceStore, false>,
                             Case<ReferenceStore, true>>;

template <class Case>
class IndexAlone : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    if (!Case::kOnDisk) return;
    auto opened = StateDb::open({.directory = directory_});
    ASSERT_TRUE(opened) << opened.error().message;
    db_ = std::move(*opened);
  }
  void TearDown() override {
    store_.reset();
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    auto made =
        Case::Store::open({.db = db_.get(), .prefix = "q|s|0|x", .changelog = false, .retention_ms = {}, .attach = {}});
    ASSERT_TRUE(made) << made.error().message;
    store_ = std::move(*made);
  }
  NumberPairs with(int first) {
    NumberPairs out;
    std::string last;
    EXPECT_TRUE(store_->visit(pair_part(first), [&](std::string_view second) -> Status {
      EXPECT_LT(last, second);
      last = second;
      for (int i = 0; i < 30; ++i)
        if (pair_part(i) == second) out.emplace(first, i);
      return {};
    }));
    return out;
  }
  void check(const NumberPairs& expected) {
    for (int first = 0; first < 6; ++first) {
      const NumberPairs of_first(expected.lower_bound({first, 0}), expected.lower_bound({first + 1, 0}));
      ASSERT_EQ(with(first), of_first);
      if constexpr (std::same_as<typename Case::Store, PairStore>)
        for (const int place : {0, 7, 13, 29, 30}) check_around(first, place, of_first);
    }
  }
  /// Two before a place and three from it on, which an index in order can tell.
  void check_around(int first, int place, const NumberPairs& of_first) {
    std::vector<std::string> expected, seconds;
    const auto at = of_first.lower_bound({first, place});
    auto begin = at;
    std::size_t before = 0;
    for (; before < 2 && begin != of_first.begin(); ++before) --begin;
    for (auto it = begin; it != of_first.end() && expected.size() < before + 3; ++it)
      expected.push_back(pair_part(it->second));
    std::size_t less = 0;
    ASSERT_TRUE(store_->around(pair_part(first), pair_part(place), 2, 3, seconds, less));
    ASSERT_EQ(seconds, expected);
    ASSERT_EQ(less, before);
  }
  /// The same store, everything that is committed in RocksDB.
  void write() {
    auto file = db_->new_file();
    ASSERT_TRUE(file);
    ASSERT_TRUE(store_->write(**file));
    ASSERT_TRUE((*file)->finish());
    store_->written();
  }

  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("millrace_pairs_" + std::to_string(getpid()));
  std::unique_ptr<StateDb> db_;
  std::unique_ptr<typename Case::Store> store_;
};

TYPED_TEST_SUITE(IndexAlone, Cases);

class NoChanges final : public ChangelogSink {
  Status put(std::string_view, std::optional<std::string_view>) override { return {}; }
};

TYPED_TEST(IndexAlone, EqualsASetThroughCommitsAndSpills) {
  this->open();
  std::mt19937 random(7);
  NoChanges none;
  NumberPairs current, under_way, committed;
  bool committing = false;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(this->store_->load(pair_part(i % 6), pair_part(i)));
    committed.emplace(i % 6, i);
  }
  current = committed;
  for (int step = 0; step < 400; ++step) {
    switch (random() % 12) {
      case 0:
        if (committing) break;
        ASSERT_TRUE(this->store_->begin_commit(none));
        under_way = current;
        committing = true;
        break;
      case 1:
        if (!committing) break;
        this->store_->commit_done(0);
        committed = under_way;
        committing = false;
        break;
      case 2:
        if (random() % 4 != 0) break;
        this->store_->roll_back();
        current = committed;
        committing = false;
        break;
      case 3:
        if (this->db_ == nullptr || committing || random() % 3 != 0) break;
        this->write();
        if (random() % 2 == 0) this->store_->shrink(0);
        break;
      default: {
        const int first = static_cast<int>(random() % 6), second = static_cast<int>(random() % 30);
        if (random() % 2 == 0) {
          this->store_->add(pair_part(first), pair_part(second));
          current.emplace(first, second);
        } else {
          this->store_->remove(pair_part(first), pair_part(second));
          current.erase({first, second});
        }
      }
    }
    this->check(current);
    if (this->HasFatalFailure()) FAIL() << "step " << step;
  }
  this->open();  // it is made anew
  this->check({});
  EXPECT_EQ(this->store_->memory_bytes(), 0u);
}

TYPED_TEST(IndexAlone, DoesNotGrowInMemoryOverRocksDb) {
  if (this->db_ == nullptr) GTEST_SKIP() << "memory is all there is";
  this->open();
  NoChanges none;
  constexpr int kPairs = 100'000;
  for (int i = 0; i < kPairs; ++i) {
    if (i % 2 == 0) {
      ASSERT_TRUE(this->store_->load(pair_part(i % 100), pair_part(i)));
      continue;
    }
    this->store_->add(pair_part(i % 100), pair_part(i));
    if (i % 5000 != 1) continue;
    ASSERT_TRUE(this->store_->begin_commit(none));
    this->store_->commit_done(0);
    ASSERT_TRUE(this->store_->spill(0));
  }
  EXPECT_LT(this->store_->memory_bytes(), 10u << 20);
  int seen = 0;
  ASSERT_TRUE(this->store_->visit(pair_part(7), [&](std::string_view) -> Status { return ++seen, Status(); }));
  EXPECT_EQ(seen, kPairs / 100);
}

/// Numbers that refer to their rest by ten, in a store with an index beside it; the process dies and comes back.
template <class Index>
class IndexBeside : public testing::Test {
 protected:
  struct Log final : ChangelogSink {
    Status put(std::string_view key, std::optional<std::string_view> value) override {
      records.emplace_back(key, value.has_value());
      return {};
    }
    std::vector<std::pair<std::string, bool>> records;  // false: it is gone
  };
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto opened = StateDb::open({.directory = directory_});
    ASSERT_TRUE(opened) << opened.error().message;
    db_ = std::move(*opened);
    open();
  }
  void TearDown() override {
    index_.reset();
    store_.reset();
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    StoreSlot slot{.db = db_.get(), .prefix = "q|left|0", .changelog = true, .retention_ms = {}, .attach = {}};
    auto made = MapStore::open(slot, {.layout = {&row_layout(), [](const ValueLayout*) {}}});
    ASSERT_TRUE(made) << made.error().message;
    store_ = std::move(*made);
    slot.prefix += "|x";
    auto index = Index::open(slot, store_.get());
    ASSERT_TRUE(index) << index.error().message;
    index_ = std::move(*index);
    index_->fill_by([this](bool all) {
      fills_ += all ? "all " : "memory ";
      Status loaded;
      if (all) {
        EXPECT_TRUE(store_->scan({}, {}, [&](std::string_view key, std::string_view) {
          loaded = index_->load(key_of_rest(key), key);
          return loaded.has_value();
        }));
      } else {
        store_->for_each([&](const Entry& entry) {
          if (entry.present()) loaded = index_->load(key_of_rest(store_->key(entry)), store_->key(entry));
        });
      }
      return loaded;
    });
  }
  static std::string key_of_rest(std::string_view key) {
    for (int i = 0; i < 100; ++i)
      if (pair_part(i) == key) return pair_part(i % 10);
    return {};
  }
  void add(int number) { change(number, true); }
  void remove(int number) { change(number, false); }
  void change(int number, bool present) {
    ASSERT_TRUE(index_->ready());
    KeyBuffer key;
    key.bytes = pair_part(number);
    key.ends.push_back(static_cast<std::uint32_t>(key.bytes.size()));
    Entry* entry = nullptr;
    ASSERT_TRUE(store_->find_or_create(key, {&entry, 1}));
    if (present) {
      store_->put_row(*entry, 5, "row");
      index_->add(pair_part(number % 10), key.bytes);
    } else {
      store_->remove(*entry);
      index_->remove(pair_part(number % 10), key.bytes);
    }
    for (Store* each : {static_cast<Store*>(store_.get()), static_cast<Store*>(index_.get())}) {
      ASSERT_TRUE(each->begin_commit(log_));
      each->commit_done(static_cast<std::int64_t>(log_.records.size()));
    }
  }
  void spill_both() {
    Store* both[] = {store_.get(), index_.get()};
    ASSERT_TRUE(spill_stores(*db_, both));
  }
  void replay(std::size_t to) {
    for (auto at = static_cast<std::size_t>(store_->committed_position()); at < to; ++at) {
      const std::string value = std::string(sizeof(std::int64_t), '\0') + "row";
      const auto& [key, present] = log_.records[at];
      const RecordView record{.key = key,
                              .value = present ? std::optional<std::string_view>(value) : std::nullopt,
                              .timestamp = 0,
                              .offset = static_cast<std::int64_t>(at),
                              .headers = {}};
      ASSERT_TRUE(store_->restore({&record, 1}));
    }
  }
  void crash() {
    index_.reset();
    store_.reset();
    fills_.clear();
    open();
  }
  void restored() {
    replay(log_.records.size());
    ASSERT_TRUE(store_->restored(static_cast<std::int64_t>(log_.records.size())));
  }
  std::size_t count(int rest) {
    EXPECT_TRUE(index_->ready());
    std::size_t seen = 0;
    EXPECT_TRUE(index_->visit(pair_part(rest), [&](std::string_view) -> Status { return ++seen, Status(); }));
    return seen;
  }

  const std::string directory_ =
      std::filesystem::temp_directory_path() / ("millrace_index_" + std::to_string(getpid()));
  std::unique_ptr<StateDb> db_;
  std::unique_ptr<MapStore> store_;
  std::unique_ptr<Index> index_;
  Log log_;
  std::string fills_;
};

using Indexes = testing::Types<PairStore, ReferenceStore>;
TYPED_TEST_SUITE(IndexBeside, Indexes);

TYPED_TEST(IndexBeside, AStartAddsWhatWasReplayedOnly) {
  for (int i = 0; i < 30; ++i) this->add(i);
  this->spill_both();
  for (int i = 30; i < 35; ++i) this->add(i);
  for (int start = 0; start < 2; ++start) {
    this->crash();
    this->restored();
    EXPECT_EQ(this->count(1), 4u);
    EXPECT_EQ(this->count(7), 3u);
    EXPECT_EQ(this->fills_, "memory ");
  }
  this->spill_both();  // at a clean stop
  this->crash();
  this->restored();
  EXPECT_EQ(this->count(1), 4u);
  EXPECT_EQ(this->fills_, "memory ");
}

TYPED_TEST(IndexBeside, NoPairStaysOfAnEntryThatWasRemovedByWhatIsReplayed) {
  for (int i = 0; i < 30; ++i) this->add(i);
  this->spill_both();
  this->remove(7);
  for (const bool stops_first : {false, true}) {
    this->crash();
    this->index_->keep_no_strays();
    this->restored();
    if (stops_first) {  // before anything came
      this->spill_both();
      this->crash();
      this->index_->keep_no_strays();
      this->restored();
    }
    EXPECT_EQ(this->count(7), 2u);
    EXPECT_EQ(this->fills_, "all ");
  }
  this->spill_both();
  this->crash();
  this->index_->keep_no_strays();
  this->restored();
  EXPECT_EQ(this->count(7), 2u);
  EXPECT_EQ(this->fills_, "memory ");
}

TYPED_TEST(IndexBeside, AStopBeforeAnythingCameKeepsStep) {
  for (int i = 0; i < 30; ++i) this->add(i);
  this->spill_both();
  for (int i = 30; i < 35; ++i) this->add(i);
  this->crash();
  this->replay(32);
  this->spill_both();  // in the middle
  this->restored();
  this->spill_both();
  this->crash();
  this->restored();
  EXPECT_EQ(this->count(1), 4u);
  EXPECT_EQ(this->count(4), 4u);
  EXPECT_EQ(this->fills_, "memory ");
}

TYPED_TEST(IndexBeside, WhatIsNotInStepIsMadeAnew) {
  for (int i = 0; i < 30; ++i) this->add(i);
  this->spill_both();
  for (int i = 30; i < 35; ++i) this->add(i);
  ASSERT_TRUE(this->store_->spill(0));
  this->crash();
  this->restored();
  EXPECT_EQ(this->count(1), 4u);
  EXPECT_EQ(this->fills_, "all ");
  this->spill_both();
  this->crash();
  this->restored();
  EXPECT_EQ(this->count(1), 4u);
  EXPECT_EQ(this->fills_, "memory ");
}

}  // namespace
}  // namespace millrace
