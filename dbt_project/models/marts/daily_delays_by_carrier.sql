with

flights as (

    select * from {{ ref('stg_flights') }}

),

airlines as (

    select * from {{ ref('stg_airlines') }}

),

counted as (

    select

        concat_ws('-', flight_date, carrier_code) as carrier_day_id,
        flight_date,
        carrier_code,

        count(*) as count_flights,
        count(*) filter (where is_cancelled) as count_cancelled_flights,
        count(*) filter (where is_diverted) as count_diverted_flights,
        count(*) filter (where is_late) as count_late_flights,

        -- avg() passes over null: only flights that flew have a delay.
        round(avg(departure_delay_minutes), 1)
            as average_departure_delay_minutes,
        round(avg(arrival_delay_minutes), 1) as average_arrival_delay_minutes

    from flights

    group by flight_date, carrier_code

),

joined as (

    select
        counted.*,
        airlines.carrier_name

    from counted

    left join airlines on counted.carrier_code = airlines.carrier_code

)

select * from joined
