#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/runtime/remote_tables.h"

/// What processes of one service say to each other over the HTTP port (design.md §8): bytes, every message with the
/// version of its form first. What does not read is nothing.
namespace millrace::inline server {

constexpr std::string_view kLookUpsPath = "/internal/look-ups", kScanPath = "/internal/scan",
                           kReportPath = "/internal/report", kLoansPath = "/internal/loans";
constexpr std::string_view kPeerScheme = "Millrace ";  // of the Authorization header, before the secret
constexpr std::string_view kPeerType = "application/octet-stream";

std::string encode_keys(const std::vector<TableKey>& keys);
std::optional<std::vector<TableKey>> decode_keys(std::string_view bytes);

/// In the order of the keys.
using KeyAnswers = std::vector<Result<TableEntries>>;
std::string encode_answers(const KeyAnswers& answers);
std::optional<KeyAnswers> decode_answers(std::string_view bytes);

std::string encode_loan_question(const LoanQuestion& question);
std::optional<LoanQuestion> decode_loan_question(std::string_view bytes);
std::string encode_loan_answer(const LoanAnswer& answer);
std::optional<LoanAnswer> decode_loan_answer(std::string_view bytes);

std::string encode_range(const TableRange& range);
std::optional<TableRange> decode_range(std::string_view bytes);

/// One message of the stream that answers a scan; the last is that of the last partition's last page, or an error.
std::string encode_page(const Result<TablePages::Page>& page);
/// The message that begins at `at`, which moves behind it; nothing: it has not come whole. `broken`: it does not read.
std::optional<Result<TablePages::Page>> take_page(const std::string& bytes, std::size_t& at, bool& broken);

}  // namespace millrace::inline server
