#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "exec/data/batch.h"
#include "exec/expr/evaluator.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

class PredicateIndexes;

/// All filters of a worker that compare the same expression over the columns of one topic with a constant of their own.
/// Where they get the same columns (SharedDecoder) the expression is computed once for them all, and a row is looked up
/// among the constants instead of being compared with each. Worker's thread.
class PredicateIndex {
 public:
  /// One of those filters; goes before the index does.
  class Member {
   public:
    Member(std::shared_ptr<PredicateIndex> index, CompareOp op, ColumnPtr constant, std::vector<std::size_t> columns,
           ExprPtr rest);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    /// The rows of `in` that pass the comparison, ascending, into `selected`. False: it did not say, because nobody
    /// else has these columns or there is something to report, which everybody does for itself.
    bool select(const Batch& in, std::vector<std::uint32_t>& selected);
    /// What else must hold for these rows; null: nothing.
    const ExprPtr& rest() const { return rest_; }

   private:
    friend class PredicateIndex;
    const std::shared_ptr<PredicateIndex> index_;
    const CompareOp op_;
    const ColumnPtr constant_;                // of one row
    const std::vector<std::size_t> columns_;  // of the batch: those that the expression reads
    const ExprPtr rest_;
    std::uint32_t from_ = 0, to_ = 0;  // the codes of rows that pass
  };

  /// The order of constants of one type; gives codes to rows.
  class Order {
   public:
    virtual ~Order() = default;
    /// Afterwards places()[i] is the place of constants[i] among all that differ.
    virtual void sort(const std::vector<const Column*>& constants) = 0;
    const std::vector<std::uint32_t>& places() const { return places_; }
    std::uint32_t distinct() const { return distinct_; }
    /// 2 * place of a row equal to a constant, plus 1; 2 * place of the least constant above it for the others.
    virtual void find(const Column& values, std::size_t rows, std::uint32_t* codes) const = 0;

   protected:
    std::vector<std::uint32_t> places_;
    std::uint32_t distinct_ = 0;
  };

  /// `expression` reads columns 0, 1, ... in the order of their first use.
  PredicateIndex(const ExprPtr& expression, std::unique_ptr<Order> order);

 private:
  struct Known {  // what was found out about some columns
    std::int32_t partition = -1;
    std::uint64_t made = 0;
    std::vector<std::weak_ptr<const Column>> columns;
    bool sound = false;
    std::vector<std::uint32_t> codes, starts, rows;  // by row; by code the first of its rows; rows by code
  };
  void add(Member& member);
  void remove(Member& member);
  void arrange();
  const Known& known(const Member& member, const Batch& in);
  void find_out(const Member& member, const Batch& in, Known& made);

  Evaluator expression_;
  const std::unique_ptr<Order> order_;
  std::vector<Member*> members_;
  bool stale_ = false;
  std::vector<Known> known_;
  std::uint64_t made_ = 0;
  std::vector<std::uint32_t> next_of_code_;
};

/// Those of one worker.
class PredicateIndexes {
 public:
  /// For a filter right above its source; null: `predicate` is not such a comparison, alone or first of an AND.
  std::unique_ptr<PredicateIndex::Member> add(const SourceNode& source, const ExprPtr& predicate);

 private:
  struct Entry {
    ExprPtr expression;  // over the declared columns
    std::weak_ptr<PredicateIndex> index;
  };
  std::multimap<std::string, Entry> known_;  // by topic and text
};

}  // namespace millrace::inline exec
