import java.math.*;
import java.util.*;

/** Numbers as Java has them, for number_test.cpp: lines of operation, arguments and result; doubles as their bits. */
public class NumberReference {
  static final Random random = new Random(3);

  static double some() {
    switch (random.nextInt(8)) {
      case 0: return Double.longBitsToDouble(random.nextLong());
      case 1: return random.nextInt(2000) - 1000 + 0.5;
      case 2: return (random.nextLong() >> random.nextInt(60)) + (random.nextBoolean() ? 0.5 : 0);
      case 3: return Math.nextAfter(random.nextInt(100) - 50 + 0.5, random.nextBoolean() ? 1e9 : -1e9);
      case 4: return (random.nextInt(2_000_000) - 1_000_000) / 1000.0;
      case 5: return new double[] {0.0, -0.0, 0.49999999999999994, -0.49999999999999994, 4503599627370497.0, 4503599627370496.5,
          9007199254740993.0, -4503599627370497.0, 9.223372036854776E18, -9.223372036854776E18, Double.MAX_VALUE,
          Double.MIN_VALUE, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN, 2147483647.5, 1e22, 1e23,
          5e-324, 1.005, 2.675}[random.nextInt(21)];
      case 6: return random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20);
      default: return random.nextDouble();
    }
  }
  static String bits(double d) { return Double.isNaN(d) ? "NaN" : "" + Double.doubleToRawLongBits(d); }

  static BigDecimal decimal() {
    int digits = 1 + random.nextInt(9);
    BigInteger unscaled = new BigInteger("" + (1 + random.nextInt(9)) + String.format("%0" + digits + "d", Math.abs(random.nextLong() % (long) Math.pow(10, digits))));
    return new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), 1 + random.nextInt(digits));
  }

  static String arithmetic(String op, BigDecimal a, BigDecimal b) {
    int p1 = a.precision(), s1 = a.scale(), p2 = b.precision(), s2 = b.scale(), precision, scale;
    try {
      switch (op) {
        case "*": precision = p1 + p2 + 1; scale = s1 + s2; return a.multiply(b).setScale(scale).toPlainString();
        case "/":
          scale = Math.max(6, s1 + p2 + 1); precision = p1 - s1 + s2 + scale;
          return a.divide(b, new MathContext(precision, RoundingMode.UNNECESSARY)).setScale(scale).toPlainString();
        case "%": return a.remainder(b).setScale(Math.max(s1, s2)).toPlainString();
        case "-": return a.subtract(b).setScale(Math.max(s1, s2)).toPlainString();
        default: return a.add(b).setScale(Math.max(s1, s2)).toPlainString();
      }
    } catch (ArithmeticException e) {
      return "error";
    }
  }

  /** A value of DECIMAL(precision, scale) and its SQL. */
  record Typed(BigDecimal value, int precision, int scale) {
    static Typed some() {
      int precision = 1 + random.nextInt(random.nextBoolean() ? 38 : 12), scale = random.nextInt(precision + 1);
      int digits = 1 + random.nextInt(precision);
      BigInteger unscaled = new BigInteger(digits * 4, random).mod(BigInteger.TEN.pow(digits));
      if (random.nextInt(4) == 0) unscaled = BigInteger.TEN.pow(digits).subtract(BigInteger.valueOf(1 + random.nextInt(3)).min(BigInteger.TEN.pow(digits)));
      if (random.nextInt(3) == 0) unscaled = unscaled.divide(BigInteger.TEN.pow(digits / 2)).multiply(BigInteger.TEN.pow(digits / 2));
      return new Typed(new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), scale), precision, scale);
    }
    String sql() { return "CAST('" + value.toPlainString() + "' AS DECIMAL(" + precision + ", " + scale + "))"; }
  }

  /** As the type of the result has it, which holds 38 digits at most. */
  static String held(BigDecimal value, int precision, int scale) {
    BigDecimal held = value.round(new MathContext(precision, RoundingMode.UNNECESSARY)).setScale(scale);
    return held.unscaledValue().abs().compareTo(BigInteger.TEN.pow(38)) < 0 ? held.toPlainString() : "error";
  }

  static String typed(String op, Typed a, Typed b) {
    int s1 = a.scale, s2 = b.scale, whole1 = a.precision - s1, whole2 = b.precision - s2, scale = Math.max(s1, s2);
    try {
      switch (op) {
        case "*": return held(a.value.multiply(b.value), a.precision + b.precision + 1, s1 + s2);
        case "%": return held(a.value.remainder(b.value), Math.min(whole1, whole2) + scale, scale);
        case "/":
          scale = Math.max(6, s1 + b.precision + 1);
          int precision = whole1 + s2 + scale;
          return held(a.value.divide(b.value, new MathContext(precision, RoundingMode.UNNECESSARY)), precision, scale);
        case "-": return held(a.value.subtract(b.value), scale + Math.max(whole1, whole2) + 1, scale);
        default: return held(a.value.add(b.value), scale + Math.max(whole1, whole2) + 1, scale);
      }
    } catch (ArithmeticException e) {
      return "error";
    }
  }

  /** Casts among the whole numbers, DECIMAL, DOUBLE and texts. */
  static void casts(StringBuilder out) {
    Typed from = Typed.some(), to = Typed.some();
    String type = "DECIMAL(" + to.precision + ", " + to.scale + ")";
    out.append("SQL\tCAST(" + from.sql() + " AS INT)\t" + from.value.intValue() + "\n");
    out.append("SQL\tCAST(" + from.sql() + " AS BIGINT)\t" + from.value.longValue() + "\n");
    out.append("SQLDOUBLE\tCAST(" + from.sql() + " AS DOUBLE)\t" + from.value.doubleValue() + "\n");
    out.append("SQL\tCAST(" + from.sql() + " AS STRING)\t" + from.value.toPlainString() + "\n");
    out.append("SQL\tCAST(" + from.sql() + " AS " + type + ")\t" + fitted(from.value, to.precision, to.scale) + "\n");
    long x = random.nextLong() >> random.nextInt(64);
    for (String whole : List.of("INT", "BIGINT")) {
      long own = whole.equals("INT") ? (int) x : x;
      String sql = "CAST(CAST('" + own + "' AS " + whole + ") AS ";
      out.append("SQL\t" + sql + "INT)\t" + (int) own + "\n");
      out.append("SQL\t" + sql + "BIGINT)\t" + own + "\n");
      out.append("SQLDOUBLE\t" + sql + "DOUBLE)\t" + (double) own + "\n");
      out.append("SQL\t" + sql + "STRING)\t" + own + "\n");
      out.append("SQL\t" + sql + type + ")\t" + fitted(BigDecimal.valueOf(own), to.precision, to.scale) + "\n");
      // A whole number is a DECIMAL of 10 or 19 digits where it meets one.
      Typed as = new Typed(BigDecimal.valueOf(own), whole.equals("INT") ? 10 : 19, 0);
      for (String op : List.of("+", "-", "*", "/", "%"))
        out.append("SQL\t" + from.sql() + " " + op + " " + "CAST('" + own + "' AS " + whole + ")\t" + typed(op, from, as) + "\n");
    }
  }

  static String rounded(double x, int places) {
    try {
      BigDecimal value = BigDecimal.valueOf(x);
      return bits(value.setScale(places, value.signum() > 0 ? RoundingMode.HALF_UP : RoundingMode.HALF_DOWN).doubleValue());
    } catch (NumberFormatException e) {
      return "error";
    }
  }

  static String fitted(BigDecimal value, int precision, int scale) {
    BigDecimal fitted = value.setScale(scale, RoundingMode.HALF_UP);
    return fitted.precision() > precision && fitted.signum() != 0 ? "error" : fitted.toPlainString();
  }

  static final String TEXT = "0123456789.-+eE xdf";

  static String text() {
    if (random.nextInt(3) == 0) return bitsText();
    StringBuilder text = new StringBuilder();
    for (int n = 1 + random.nextInt(10); n > 0; --n) text.append(TEXT.charAt(random.nextInt(random.nextBoolean() ? 10 : TEXT.length())));
    return text.toString();
  }
  static String bitsText() {
    return random.nextBoolean() ? "" + random.nextLong() : random.nextBoolean() ? "" + random.nextInt() : "" + some();
  }

  interface Parse { String of(String text); }
  static String parsed(Parse parse, String text) {
    try { return parse.of(text.trim()); } catch (NumberFormatException e) { return "error"; }
  }

  public static void main(String[] arguments) {
    StringBuilder out = new StringBuilder();
    for (int i = Integer.parseInt(arguments[1]); i > 0; --i) {
      double x = some();
      int places = random.nextInt(24) - 8;
      out.append("ROUND\t" + bits(x) + "\t" + Math.round(x) + "\n");
      out.append("ROUNDTO\t" + bits(x) + "\t" + places + "\t" + rounded(x, places) + "\n");
      out.append("FLOOR\t" + bits(x) + "\t" + bits(Math.floor(x)) + "\n");
      out.append("CEIL\t" + bits(x) + "\t" + bits(Math.ceil(x)) + "\n");
      out.append("SQRT\t" + bits(x) + "\t" + bits(Math.sqrt(x)) + "\n");
      out.append("LN\t" + bits(x) + "\t" + bits(Math.log(x)) + "\n");
      out.append("EXP\t" + bits(x) + "\t" + bits(Math.exp(x)) + "\n");
      out.append("INTEGER\t" + bits(x) + "\t" + (int) x + "\n");
      out.append("BIGINT\t" + bits(x) + "\t" + (long) x + "\n");
      if (!Double.isNaN(x) && !Double.isInfinite(x))
        out.append("DECIMAL\t" + bits(x) + "\t" + fitted(new BigDecimal(x, new MathContext(12)), 12, 3) + "\n");
      out.append("TEXT\t" + bits(x) + "\t" + x + "\n");
      BigDecimal a = decimal(), b = decimal();
      for (String op : List.of("+", "-", "*", "/", "%"))
        out.append("SQL\t" + a.toPlainString() + " " + op + " " + b.toPlainString() + "\t" + arithmetic(op, a, b) + "\n");
      Typed c = Typed.some(), d = Typed.some();
      for (String op : List.of("+", "-", "*", "/", "%"))
        out.append("SQL\t" + c.sql() + " " + op + " " + d.sql() + "\t" + typed(op, c, d) + "\n");
      casts(out);
      String text = text();
      out.append("TEXTINTEGER\t" + text + "\t" + parsed(t -> "" + Integer.parseInt(t), text) + "\n");
      out.append("TEXTBIGINT\t" + text + "\t" + parsed(t -> "" + Long.parseLong(t), text) + "\n");
      if (!text.contains("N") && !text.contains("I"))  // refused, as the specification has it
        out.append("TEXTDOUBLE\t" + text + "\t" + parsed(t -> bits(Double.parseDouble(t)), text) + "\n");
      out.append("TEXTDECIMAL\t" + text + "\t" + parsed(t -> fitted(new BigDecimal(t), 12, 3), text) + "\n");
    }
    System.out.print(out);
  }
}
