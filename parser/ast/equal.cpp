#include <algorithm>
#include <boost/pfr/core.hpp>

#include "parser/ast/format.h"
#include "parser/ast/printer.h"

namespace millrace::inline parser::ast {
namespace {

// Structs are compared field by field; spans, quoting and spelling variants are left out.
struct Comparer {
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) bool operator()(const T& a, const T& b) const {
    return a == b;
  }
  bool operator()(const std::string& a, const std::string& b) const { return a == b; }
  bool operator()(const Span&, const Span&) const { return true; }
  bool operator()(const Identifier& a, const Identifier& b) const { return a == b; }
  bool operator()(const DoubleLiteral& a, const DoubleLiteral& b) const { return a.value == b.value; }
  bool operator()(const Comparison& a, const Comparison& b) const {
    return a.op == b.op && (*this)(a.left, b.left) && (*this)(a.right, b.right);
  }
  bool operator()(const Duration& a, const Duration& b) const { return a.millis == b.millis; }
  bool operator()(const Expression& a, const Expression& b) const { return (*this)(a.node, b.node); }
  bool operator()(const StatementNode& a, const StatementNode& b) const { return (*this)(a.node, b.node); }
  bool operator()(const TypeName& a, const TypeName& b) const {
    return canonical_type_name(a.name.text) == canonical_type_name(b.name.text) && a.numbers == b.numbers &&
           (*this)(a.arguments, b.arguments) && a.fields == b.fields;
  }
  /// The order of WITH entries means nothing.
  bool operator()(const Properties& a, const Properties& b) const {
    const auto sorted = [](const Properties& properties) {
      std::vector<const Property*> order;
      for (const Property& property : properties) order.push_back(&property);
      std::stable_sort(order.begin(), order.end(), [](const auto* x, const auto* y) { return x->name < y->name; });
      return order;
    };
    const auto left = sorted(a);
    const auto right = sorted(b);
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const Property* x, const Property* y) { return (*this)(*x, *y); });
  }
  template <class T>
  bool operator()(const std::shared_ptr<T>& a, const std::shared_ptr<T>& b) const {
    return a == b || (a && b && (*this)(*a, *b));
  }
  template <class T>
  bool operator()(const std::optional<T>& a, const std::optional<T>& b) const {
    return a.has_value() == b.has_value() && (!a || (*this)(*a, *b));
  }
  template <class T>
  bool operator()(const std::vector<T>& a, const std::vector<T>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), *this);
  }
  template <class A, class B>
  bool operator()(const std::pair<A, B>& a, const std::pair<A, B>& b) const {
    return (*this)(a.first, b.first) && (*this)(a.second, b.second);
  }
  template <class... T>
  bool operator()(const std::variant<T...>& a, const std::variant<T...>& b) const {
    if (a.index() != b.index()) return false;
    return std::visit([&](const auto& x) { return (*this)(x, std::get<std::remove_cvref_t<decltype(x)>>(b)); }, a);
  }
  template <class T>
  requires std::is_aggregate_v<T>
  bool operator()(const T& a, const T& b) const {
    return fields(a, b, std::make_index_sequence<boost::pfr::tuple_size_v<T>>());
  }

 private:
  template <class T, std::size_t... I>
  bool fields(const T& a, const T& b, std::index_sequence<I...>) const {
    return ((*this)(boost::pfr::get<I>(a), boost::pfr::get<I>(b)) && ...);
  }
};

}  // namespace

bool equal(const Expression& a, const Expression& b) {
  return Comparer()(a, b);
}
bool equal(const Statement& a, const Statement& b) {
  return Comparer()(a, b);
}

}  // namespace millrace::inline parser::ast
